"""Scripts that are copied into exported folders; they import neither ser_tune nor MLflow."""
