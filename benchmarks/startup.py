"""Start-up and call overhead: what a user waits for before and around the kernels.

Each figure is taken in fresh processes (median of several): `import weft`; the first gradient of a 3-layer MLP through `jit` on the wasm device, with an empty disk
cache and with a filled one; a call of a compiled function with a trivial body. With `--profile` the first compilation is split by stage.

    python benchmarks/startup.py [--runs 5] [--device wasm] [--profile]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from statistics import median

IMPORT = """
import time; start = time.perf_counter()
import weft
print(time.perf_counter() - start)
"""

FIRST = """
import time, sys
import numpy as np
import weft, weft.numpy as jnp
start = time.perf_counter()
weft.set_default_device(sys.argv[1])
rng = np.random.default_rng(0)
params = [(rng.standard_normal((m, n), np.float32) * 0.05, np.zeros(n, np.float32)) for m, n in [(784, 256), (256, 128), (128, 10)]]
x, y = rng.standard_normal((64, 784), np.float32), rng.standard_normal((64, 10), np.float32)
def loss(params, x, y):
    for w, b in params[:-1]:
        x = jnp.maximum(x @ w + b, 0)
    w, b = params[-1]
    return jnp.mean((x @ w + b - y) ** 2)
grads = weft.jit(weft.grad(loss))(params, x, y)
np.asarray(grads[0][0])
print(time.perf_counter() - start)
"""

CALL = """
import time, sys
import weft, weft.numpy as jnp
weft.set_default_device(sys.argv[1])
f = weft.jit(lambda x: x + 1)
x = f(jnp.zeros(8))
best = []
for _ in range(20):
    start = time.perf_counter()
    for _ in range(200):
        f(x)
    best.append((time.perf_counter() - start) / 200)
print(sorted(best)[len(best) // 2])
"""

PROFILE = FIRST.replace(
    "grads = weft.jit", "import cProfile, pstats; profile = cProfile.Profile(); profile.enable()\ngrads = weft.jit"
).replace(
    "print(time",
    "profile.disable(); pstats.Stats(profile, stream=sys.stderr).sort_stats('cumtime').print_stats('frontend|backends|passes|dialects|wasmtime', 45)\nprint(time",
)


def once(code: str, device: str, cache: str) -> float:
    """Runs `code` in a fresh process; the seconds that it prints last."""
    done = subprocess.run(
        [sys.executable, "-c", code, device],
        env=os.environ | {"WEFT_CACHE_DIR": cache},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--device", default="wasm")
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as warm:
        if args.profile:
            once(PROFILE, args.device, warm)
            return

        def report(what: str, code: str, cached: bool) -> None:
            seconds = []
            for _ in range(args.runs):
                with tempfile.TemporaryDirectory() as cold:
                    seconds.append(once(code, args.device, warm if cached else cold))
            print(f"{what:58} {median(seconds) * 1e3:9.3f} ms   (best {min(seconds) * 1e3:.3f})")

        report("import weft", IMPORT, True)
        report("jit(grad(mlp)): first result after import, no disk cache", FIRST, False)
        once(FIRST, args.device, warm)
        report("jit(grad(mlp)): first result after import, disk cache", FIRST, True)
        report("one call of jit(lambda x: x + 1)", CALL, True)


if __name__ == "__main__":
    main()
