"""Tests of training and of the network."""
