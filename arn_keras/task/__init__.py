"""What Bob is judged by: the loss L2 of Eq. (21), the measures of a row, the picture."""
