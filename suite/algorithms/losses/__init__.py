"""Loss equations: pure functions of tensors."""
