"""The linear model over a window: tangent, adjoint, simplified physics."""
