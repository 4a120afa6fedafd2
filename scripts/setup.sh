# Shared by scripts/demo and scripts/test: system libraries, .venv, and this project with its extras.
# Sourced from the project's root by a POSIX shell.

# Qt 6, OpenGL in software (Mesa's llvmpipe) and a virtual screen
SYSTEM_PACKAGES="xvfb xauth libgl1 libgl1-mesa-dri libegl1 libopengl0 libdbus-1-3 libfontconfig1 libglib2.0-0 \
libxcb-icccm4 libxcb-keysyms1 libxcb-image0 libxcb-render-util0 libxcb-cursor0 libxcb-shape0 libxcb-xinerama0 \
libxcb-xkb1 libxkbcommon-x11-0 fonts-dejavu-core"

say() { printf '%s\n' "$*" >&2; }

is_installed() {
    # a t64 suffix: how newer releases renamed some libraries
    for name in "$1" "$1t64"; do
        dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'install ok installed' && return 0
    done
    return 1
}

apt_install() {
    if [ "$(id -u)" -eq 0 ]; then
        as_root=
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root=sudo
    else
        say "Missing, and this account may not install them. Ask for:"
        say "    sudo apt-get install $*"
        return 1
    fi
    say "Installing with apt: $*"
    $as_root apt-get update -qq >/dev/null 2>&1
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 || {
        say "apt-get could not install: $*"
        return 1
    }
}

install_system_packages() {
    command -v dpkg-query >/dev/null 2>&1 || return 0
    missing=
    for package in $SYSTEM_PACKAGES; do
        is_installed "$package" || missing="$missing $package"
    done
    # shellcheck disable=SC2086
    [ -z "$missing" ] || apt_install $missing || say "Going on without them."
}

find_python() {
    for candidate in python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s' "$candidate"
            return 0
        fi
    done
    say "Python 3.11 or newer is needed, and none was found."
    return 1
}

make_venv() {
    base=$(find_python) || exit 1
    rm -rf .venv
    "$base" -m venv .venv >/dev/null 2>&1 && return 0
    # Debian without python3-venv has the venv module but no pip to put into it
    rm -rf .venv
    "$base" -m venv --without-pip .venv || { say "$base cannot make a virtual environment."; exit 1; }
    if "$base" -m pip --python .venv/bin/python install -q pip >/dev/null 2>&1; then
        return 0
    fi
    pip_from_debian || {
        rm -rf .venv
        say "No pip could be had for .venv. Install it and try again:"
        say "    sudo apt-get install python3-venv"
        exit 1
    }
}

pip_from_debian() {
    # Debian ships pip as a wheel, which Python can run as it is; fetching it needs no root
    command -v apt-get >/dev/null 2>&1 || return 1
    bootstrap=$PWD/.venv/bootstrap
    mkdir -p "$bootstrap"
    (cd "$bootstrap" && apt-get download -qq python3-pip-whl && dpkg -x python3-pip-whl_*.deb .) >/dev/null 2>&1
    wheel=$(find "$bootstrap" -name 'pip-*.whl' | head -n 1)
    [ -n "$wheel" ] && .venv/bin/python "$wheel/pip" install -q --no-index "$wheel"
}

pip_install() { .venv/bin/python -m pip install -q --disable-pip-version-check "$@"; }

install_project() {
    stamp=$(cat pyproject.toml scripts/setup.sh | cksum)
    [ "$(cat .venv/installed 2>/dev/null)" = "$stamp" ] && return 0
    .venv/bin/python -m pip --version >/dev/null 2>&1 || make_venv
    say "Installing napari-deeper into .venv (some minutes the first time)"
    # Debian's own pip is too old to build every dependency in the present way
    pip_install --upgrade pip
    # the release that these scripts were tried with; where only another fits, that one
    .venv/bin/python -c 'import torch' 2>/dev/null || pip_install 'torch==2.13.0' || pip_install torch
    pip_install -e '.[all,formats,dev]' || { say "pip could not install the project; its message stands above."; exit 1; }
    printf '%s' "$stamp" >.venv/installed
}

install_system_packages
install_project
