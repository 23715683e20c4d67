"""Inference engines: torch, OpenVINO and ONNX Runtime."""
