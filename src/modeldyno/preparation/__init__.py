"""Constants of operations learnt from training data, by scikit-learn."""
