"""The primitives, one class each.

Importing this package defines them all; nothing lists them: `weft.dialects.array.all_ops` reads the registry off the
classes.
"""

# ruff: noqa: F403
from weft.dialects.array.constant import ConstantOp as ConstantOp
from weft.dialects.array.ops.arithmetic import *
from weft.dialects.array.ops.bits import *
from weft.dialects.array.ops.butterfly import *
from weft.dialects.array.ops.complex import *
from weft.dialects.array.ops.contraction import *
from weft.dialects.array.ops.control import *
from weft.dialects.array.ops.creation import *
from weft.dialects.array.ops.eigh import *
from weft.dialects.array.ops.elementary import *
from weft.dialects.array.ops.fourier import *
from weft.dialects.array.ops.indexing import *
from weft.dialects.array.ops.logic import *
from weft.dialects.array.ops.lu import *
from weft.dialects.array.ops.qr import *
from weft.dialects.array.ops.reduction import *
from weft.dialects.array.ops.scan import *
from weft.dialects.array.ops.selection import *
from weft.dialects.array.ops.shape import *
from weft.dialects.array.ops.slicing import *
from weft.dialects.array.ops.sorting import *
from weft.dialects.array.ops.special import *
from weft.dialects.array.ops.svd import *
from weft.dialects.array.ops.triangular import *
from weft.dialects.array.ops.windows import *
