# pyright: reportOptionalSubscript=false, reportOptionalMemberAccess=false, reportOptionalOperand=false
# pyright: reportOperatorIssue=false, reportGeneralTypeIssues=false, reportIncompatibleMethodOverride=false
# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalIterable=false
"""A weight by itself."""

from __future__ import annotations

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable()
class Weight(layers.Layer):
    """A weight by itself, whatever the input; with `batch`, for each example of it."""

    def __init__(self, size, batch=False, **options):
        super().__init__(**options)
        self.size, self.batch = tuple(size), batch

    def build(self, _):
        self.value = self.add_weight(shape=self.size, initializer="zeros", name="value", dtype=self.variable_dtype)

    def call(self, x):
        value = ops.convert_to_tensor(self.value)
        return ops.repeat(value, ops.shape(x)[0], axis=0) if self.batch else value
