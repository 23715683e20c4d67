"""Simplify an OpenVINO model that was read from ONNX, so that convolutions are calculated with what follows them."""

from typing import Any

from leafid.openvino_runtime import import_openvino


def simplify(model: Any) -> None:  # noqa: ANN401 -- openvino has no types
    """Turn each addition of a bias and each clipping after a convolution into forms that OpenVINO fuses with it.

    OpenVINO reads the bias of ONNX's ``Conv`` as shaped during inference, and ``Clip`` (ReLU6) as a maximum and a
    minimum. Left so, each is a further pass over the feature maps. The values stay the same.

    Args:
        model: ``openvino.Model``; changed in place.
    """
    import_openvino()
    from openvino.passes import ConstantFolding, Manager

    folding = Manager()
    folding.register_pass(ConstantFolding())
    folding.run_passes(model)
    for node in model.get_ordered_ops():
        if node.get_type_name() == "Minimum":
            _replace_by_clamp(node)
    model.validate_nodes_and_infer_types()


def _replace_by_clamp(minimum: Any) -> None:  # noqa: ANN401
    """Replace ``minimum(maximum(values, low), high)`` by one clamp, if both limits are constant numbers."""
    import openvino.opset8 as operations

    high, lowered = _limit_and_values(minimum)
    if high is None or lowered.get_node().get_type_name() != "Maximum":
        return
    low, values = _limit_and_values(lowered.get_node())
    if low is None:
        return
    clamp = operations.clamp(values, low, high)
    clamp.set_friendly_name(minimum.get_friendly_name())
    for reader in list(minimum.output(0).get_target_inputs()):
        reader.replace_source_output(clamp.output(0))


def _limit_and_values(node: Any) -> tuple[float | None, Any]:  # noqa: ANN401
    """Return the constant input of a node as a number, and its other input; None if no input is a single number."""
    one, other = node.input_values()
    for limit, values in ((one, other), (other, one)):
        constant = limit.get_node()
        if constant.get_type_name() == "Constant" and constant.get_data().size == 1:
            return float(constant.get_data().item()), values
    return None, other
