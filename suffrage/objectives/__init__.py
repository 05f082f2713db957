"""Every objective as a pure function of tensors, and the table that names them."""
