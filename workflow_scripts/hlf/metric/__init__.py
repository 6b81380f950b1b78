"""The HLF metric: 1 - cosine of one backbone's embeddings of SR and GT, fine-tuned on human scores (paper 4.2)."""
