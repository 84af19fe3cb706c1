"""Legion: one neural network, several unequal devices, the same answer, sooner."""
