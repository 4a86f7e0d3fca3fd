"""Shows WGSL texts to Chromium's WebGPU, whose compiler (Tint) is stricter than wgpu's: uniformity of barriers, constant evaluation, limits.

One page load checks hundreds of shaders: a shader module is made of each, a compute pipeline of each that is more than others with different numbers, and the messages come back.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-unsafe-webgpu",
]

_CHECK = """async (texts) => {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) return null;
  const wanted = ['subgroups'].filter(f => adapter.features.has(f));
  const limits = {};
  for (const k of ['maxComputeInvocationsPerWorkgroup', 'maxComputeWorkgroupSizeX', 'maxComputeWorkgroupStorageSize', 'maxStorageBuffersPerShaderStage'])
    limits[k] = adapter.limits[k];
  const device = await adapter.requestDevice({requiredFeatures: wanted, requiredLimits: limits});
  return await Promise.all(texts.map(async ([code, whole]) => {
    const module = device.createShaderModule({code});
    const info = await module.getCompilationInfo();
    const errors = info.messages.filter(m => m.type === 'error').map(m => `${m.lineNum}:${m.linePos}: ${m.message}`);
    if (errors.length || !whole) return errors.join('; ');
    try { await device.createComputePipelineAsync({layout: 'auto', compute: {module, entryPoint: 'main'}}); }
    catch (error) {
      const message = String(error.message || error);
      return /exceeds the maximum|limit/.test(message) ? 'skip' : message;
    }
    return '';
  }));
}"""


PAGE = 500
"""How many texts one page is given: its memory goes with it."""


class NoChromium(Exception):
    """Chromium, its driver or its WebGPU is not there; the message says what to install."""


def validate(texts: Sequence[str]) -> list[str]:
    """For each text the compiler's errors, '' if there are none, 'skip' if this machine's adapter lacks a feature or a limit that it needs."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        raise NoChromium("pip install playwright") from error
    if not Path(CHROMIUM).exists():
        raise NoChromium("no Chromium: on Debian and Ubuntu, apt-get install chromium")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        except Error as error:
            raise NoChromium(f"Chromium does not start: {error}") from error
        try:
            answers: list[str] = []
            shapes: set[str] = set()
            for start in range(0, len(texts), PAGE):
                page = browser.new_page()
                page.route("**/*", lambda route: route.fulfill(body="<html></html>", content_type="text/html"))
                page.goto("http://localhost/")  # WebGPU is for secure contexts, and this counts as one
                given = [(text, _is_new(text, shapes)) for text in texts[start : start + PAGE]]
                found = page.evaluate(_CHECK, given)
                page.close()
                if found is None:
                    raise NoChromium("Chromium has no WebGPU adapter here")
                answers += found
        finally:
            browser.close()
    return answers


def _is_new(text: str, shapes: set[str]) -> bool:
    """Whether no text before was the same but for its numbers: of these one is made a pipeline, which takes a software driver long. Tint reads all."""
    shape = re.sub(r"\d+", "0", text)
    new = shape not in shapes
    shapes.add(shape)
    return new
