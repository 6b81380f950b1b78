"""Statistics of the study and of Tables 2 and 3 (paper 4.1): correlations, intervals, paired tests, human ceiling.

Tables of this field print absolute correlations, and mostly plain Pearson; every correlation here is signed, and
`absolute_interval` turns an interval of a signed value into one of its absolute value.
An undefined result is never a NaN: the functions raise HlfError, and the code that writes a table decides what to
print. `compare_rows` makes a table itself and says in `status` what could not be compared.
Statistics of the people who vote stand in `answers`, `raters`, `people` and `latent`, imported by name: what needs only
a correlation does not hang on them.
"""

from hlf.stats.ceiling import Agreement, Ceiling, human_ceiling, spearman_brown
from hlf.stats.comparison import LEVEL, Difference, compare_rows, paired_bootstrap
from hlf.stats.correlation import LogisticFit, krcc, logistic4, plcc, plcc_logistic, rmse_logistic, srcc
from hlf.stats.detection import auc, auc_interval, roc, sensitivity_at
from hlf.stats.intervals import absolute_interval, bootstrap_by_group, jeffreys, wilson
from hlf.stats.reliability import Bin, calibration_error, reliability
from hlf.stats.significance import holm, williams

__all__ = [
    "LEVEL",
    "Agreement",
    "Bin",
    "Ceiling",
    "Difference",
    "LogisticFit",
    "absolute_interval",
    "auc",
    "auc_interval",
    "bootstrap_by_group",
    "calibration_error",
    "compare_rows",
    "holm",
    "human_ceiling",
    "jeffreys",
    "krcc",
    "logistic4",
    "paired_bootstrap",
    "plcc",
    "plcc_logistic",
    "reliability",
    "rmse_logistic",
    "roc",
    "sensitivity_at",
    "spearman_brown",
    "srcc",
    "williams",
    "wilson",
]
