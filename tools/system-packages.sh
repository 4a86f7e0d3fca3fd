#!/bin/sh
# What the tests need besides Python: a Vulkan driver (the webgpu device), Chromium and Node (a second engine for every WGSL text and Wasm module).
# Installs what is missing where it may (Debian and Ubuntu as root or with passwordless sudo; macOS with Homebrew) and names it where it may not.
set -eu

missing=""
need() { missing="$missing $1"; }

case "$(uname -s)" in
Darwin)
    # macOS brings Metal: no driver is needed.
    command -v node >/dev/null 2>&1 || need node
    [ -d "/Applications/Chromium.app" ] || [ -d "/Applications/Google Chrome.app" ] || need chromium
    [ -z "$missing" ] && exit 0
    if command -v brew >/dev/null 2>&1; then
        for package in $missing; do
            if [ "$package" = chromium ]; then brew install --cask chromium; else brew install "$package"; fi
        done
    else
        echo "Please install:$missing (with Homebrew, https://brew.sh)" >&2
        exit 1
    fi
    ;;
Linux)
    ls /usr/share/vulkan/icd.d/*.json /etc/vulkan/icd.d/*.json >/dev/null 2>&1 || need mesa-vulkan-drivers
    ldconfig -p 2>/dev/null | grep -q libvulkan.so.1 || need libvulkan1
    command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || need chromium
    command -v node >/dev/null 2>&1 || need nodejs
    command -v npm >/dev/null 2>&1 || need npm
    [ -z "$missing" ] && exit 0
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "Please install what these Debian packages hold:$missing" >&2
        exit 1
    fi
    if [ "$(id -u)" = 0 ]; then as_root=""; elif sudo -n true 2>/dev/null; then as_root="sudo"; else
        echo "Please run: sudo apt-get install$missing" >&2
        exit 1
    fi
    $as_root apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing
    ;;
*)
    echo "weft's tests know Linux and macOS; here, please install a Vulkan driver, Chromium and Node by hand." >&2
    ;;
esac
