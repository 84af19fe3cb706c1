"""Legion: one neural network, several unequal devices, one exact answer, sooner."""
