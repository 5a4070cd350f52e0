"""Each layer class of `torch.nn`, the expression here that stands for it, and what is left out with the reason."""

LAYERS = {
    "Linear LazyLinear": "fc(8)",
    "Bilinear": "bilinear(8)",
    "Identity": "identity",
    "Sequential": "compose_seq(fc(8), relu)",
    "Conv1d Conv2d Conv3d LazyConv1d LazyConv2d LazyConv3d": 'conv(8, 3, padding="valid")',
    "ConvTranspose1d ConvTranspose2d ConvTranspose3d LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d": (
        "conv_transpose(8, 3, padding=0)"
    ),
    "Unfold": "unfold(3)",
    "Fold": "fold((8, 8), 3)",
    "AvgPool1d AvgPool2d AvgPool3d": "avg_pool(2)",
    "MaxPool1d MaxPool2d MaxPool3d": "max_pool(2)",
    "LPPool1d LPPool2d LPPool3d": "lp_pool(2, 2)",
    "MaxUnpool1d MaxUnpool2d MaxUnpool3d": "max_unpool(2)",
    "AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d": "adaptive_avg_pool(4)",
    "AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d": "adaptive_max_pool(4)",
    "ConstantPad1d ConstantPad2d ConstantPad3d": "pad(1, value=0.5)",
    "ZeroPad1d ZeroPad2d ZeroPad3d": "pad(1)",
    "ReflectionPad1d ReflectionPad2d ReflectionPad3d": 'pad(1, "reflect")',
    "ReplicationPad1d ReplicationPad2d ReplicationPad3d": 'pad(1, "edge")',
    "CircularPad1d CircularPad2d CircularPad3d": 'pad(1, "wrap")',
    "BatchNorm1d BatchNorm2d BatchNorm3d LazyBatchNorm1d LazyBatchNorm2d LazyBatchNorm3d": (
        "batch_norm(momentum=0.9, unbiased=True)"
    ),
    "SyncBatchNorm": "batch_norm(momentum=0.9, unbiased=True)",  # a batch sharded over devices has one mean under jit
    "LayerNorm": "layer_norm()",
    "GroupNorm": "group_norm(4)",
    "InstanceNorm1d InstanceNorm2d InstanceNorm3d LazyInstanceNorm1d LazyInstanceNorm2d LazyInstanceNorm3d": (
        "instance_norm(scale=False, bias=False)"
    ),
    "RMSNorm": "rms_norm()",
    "LocalResponseNorm CrossMapLRN2d": "local_response_norm(5)",
    "Dropout": "dropout(0.5)",
    "Dropout1d Dropout2d Dropout3d": "spatial_dropout(0.5)",
    "AlphaDropout": "alpha_dropout(0.5)",
    "FeatureAlphaDropout": "alpha_dropout(0.5, shared_axes=(1, 2))",
    "Embedding": "embedding(100, 8)",
    "EmbeddingBag": "embedding_bag(100, 8)",
    "RNN": "rnn(8)",
    "LSTM": "stacked(2, lstm(8, recurrent_bias=True))",
    "GRU": "gru(8)",
    "RNNCell": "rnn_cell(8)",
    "LSTMCell": "lstm_cell(8, recurrent_bias=True)",
    "GRUCell": "gru_cell(8)",
    "MultiheadAttention": "multi_head_attention(8)",
    "TransformerEncoderLayer": "encoder_block(8)",
    "TransformerDecoderLayer": "decoder_block(8)",
    "TransformerEncoder": "compose_seq(repeat(6, encoder_block(8)), layer_norm)",
    "TransformerDecoder": 'compose_seq(repeat(6, branch(decoder_block(8), at("1"))), at("0"))',
    "Transformer": "transformer(8)",
    "ReLU": "relu",
    "ReLU6": "relu6",
    "LeakyReLU": "leaky_relu",
    "PReLU": "prelu()",
    "RReLU": "rrelu()",
    "ELU": "elu",
    "SELU": "selu",
    "CELU": "celu",
    "GELU": "gelu",
    "SiLU": "silu",
    "Mish": "mish",
    "GLU": "glu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Hardsigmoid": "hard_sigmoid",
    "Hardswish": "hard_swish",
    "Hardtanh": "hard_tanh",
    "Hardshrink": "hard_shrink",
    "Softshrink": "soft_shrink",
    "Tanhshrink": "tanh_shrink",
    "Threshold": "threshold(threshold=0.1, value=20.0)",
    "LogSigmoid": "log_sigmoid",
    "Softplus": "softplus(threshold=20.0)",
    "Softsign": "soft_sign",
    "Softmax Softmax2d": "softmax",
    "Softmin": "soft_min",
    "LogSoftmax": "log_softmax",
    "Flatten": "flatten",
    "Unflatten": "unflatten(axis=1, shape=(2, 4))",
    "ChannelShuffle": "channel_shuffle(2)",
    "PixelShuffle": "pixel_shuffle(2)",
    "PixelUnshuffle": "pixel_unshuffle(2)",
    "Upsample UpsamplingNearest2d": "upsample(2)",
    "UpsamplingBilinear2d": 'upsample(2, "linear", coordinates="align_corners")',
    "CosineSimilarity": "cosine_similarity(axis=1)",
    "PairwiseDistance": "pairwise_distance",
}

MISSING = {
    "FractionalMaxPool2d FractionalMaxPool3d": "its windows are drawn at random in inference too",
    "AdaptiveLogSoftmaxWithLoss": "a softmax in clusters of classes that is at once its loss",
}

EXCLUDED = {
    "Module RNNBase RNNCellBase": "abstract bases",
    "Container ModuleDict ModuleList ParameterDict ParameterList": "containers of modules, which compute nothing",
    "DataParallel": "a way of running, not a layer: sharding does it",
}


def is_loss(name: str) -> bool:
    return name.endswith(("Loss", "Loss2d")) and name not in MISSING
