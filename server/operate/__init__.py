"""What the operator does: `kurama up`, `down`, `status` and `doctor`."""
