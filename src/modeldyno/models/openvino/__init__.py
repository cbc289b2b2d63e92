"""OpenVINO's own form, and TensorFlow's SavedModel, which it reads."""
