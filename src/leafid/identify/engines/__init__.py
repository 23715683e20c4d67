"""Engines that run the network: torch, and compiled ones of OpenVINO and ONNX Runtime."""
