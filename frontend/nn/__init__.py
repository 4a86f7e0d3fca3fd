"""Functions for neural networks: activations, normalisations, initial weights."""

from weft.nn import initializers as initializers
from weft.nn.functions import (
    celu as celu,
)
from weft.nn.functions import (
    elu as elu,
)
from weft.nn.functions import (
    gelu as gelu,
)
from weft.nn.functions import (
    glu as glu,
)
from weft.nn.functions import (
    hard_sigmoid as hard_sigmoid,
)
from weft.nn.functions import (
    hard_silu as hard_silu,
)
from weft.nn.functions import (
    hard_swish as hard_swish,
)
from weft.nn.functions import (
    hard_tanh as hard_tanh,
)
from weft.nn.functions import (
    leaky_relu as leaky_relu,
)
from weft.nn.functions import (
    log_sigmoid as log_sigmoid,
)
from weft.nn.functions import (
    log_softmax as log_softmax,
)
from weft.nn.functions import (
    logsumexp as logsumexp,
)
from weft.nn.functions import (
    mish as mish,
)
from weft.nn.functions import (
    one_hot as one_hot,
)
from weft.nn.functions import (
    relu as relu,
)
from weft.nn.functions import (
    relu6 as relu6,
)
from weft.nn.functions import (
    selu as selu,
)
from weft.nn.functions import (
    sigmoid as sigmoid,
)
from weft.nn.functions import (
    silu as silu,
)
from weft.nn.functions import (
    soft_sign as soft_sign,
)
from weft.nn.functions import (
    softmax as softmax,
)
from weft.nn.functions import (
    softplus as softplus,
)
from weft.nn.functions import (
    sparse_plus as sparse_plus,
)
from weft.nn.functions import (
    sparse_sigmoid as sparse_sigmoid,
)
from weft.nn.functions import (
    squareplus as squareplus,
)
from weft.nn.functions import (
    standardize as standardize,
)
from weft.nn.functions import (
    swish as swish,
)
