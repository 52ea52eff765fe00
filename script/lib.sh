# shellcheck shell=bash
# Functions that script/demo, script/test and script/container-setup share: packages, and the venv in .venv.

say() { printf '\n== %s\n' "$*" >&2; }
fail() { printf 'error: %s\n' "$*" >&2; exit 3; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else fail "not root and no sudo: run as root once: $*"
    fi
}

# Prints the packages of the given sets (run, layer, test, tools), for apt or dnf.
packages() {
    local arch
    for name in "$@"; do
        case $family:$name in
        apt:run)
            arch=$(dpkg --print-architecture)
            echo "qemu-system-x86 qemu-utils ovmf python3-guestfs libguestfs-xfs linux-image-$arch skopeo" \
                 "python3-gi gir1.2-ostree-1.0 squashfs-tools mtools dosfstools e2fsprogs" \
                 "xfsprogs fdisk openssh-client passt gpg gpg-agent python3 python3-venv ca-certificates" ;;
        apt:layer) echo "mmdebstrap debian-archive-keyring arch-test kmod rpm zstd" ;;
        apt:test) echo "umoci docker-registry erofs-utils gdisk ostree policycoreutils shellcheck" \
                       "qemu-system-arm qemu-efi-aarch64 qemu-system-ppc qemu-system-misc" \
                       "bsdutils genisoimage git grub-pc-bin bubblewrap openssl xz-utils zstd buildah podman" \
                       "chromium busybox-static xorriso isolinux syslinux-common cpio strace faketime" \
                       "$(missing_program npm npm)" ;;
        apt:tools) echo "gcc pkg-config libssl-dev libzstd-dev liblzma-dev libostree-dev libblkid-dev" ;;
        dnf:run)
            echo "qemu-system-x86-core qemu-img edk2-ovmf python3-libguestfs libguestfs-xfs kernel-core" \
                 "skopeo python3-gobject-base ostree-libs squashfs-tools mtools dosfstools e2fsprogs" \
                 "xfsprogs util-linux openssh-clients passt gnupg2 python3 ca-certificates" ;;
        dnf:layer) echo "mmdebstrap debian-keyring arch-test kmod rpm zstd" ;;
        dnf:test) echo "umoci docker-distribution erofs-utils gdisk ostree policycoreutils ShellCheck" \
                       "qemu-system-aarch64-core edk2-aarch64 qemu-system-ppc-core qemu-system-s390x-core" \
                       "util-linux-script genisoimage git grub2-pc-modules grub2-tools-minimal openssl osbuild xz zstd" \
                       "buildah podman chromium busybox xorriso syslinux syslinux-nonlinux cpio strace libfaketime" \
                       "$(missing_program npm nodejs-npm)" ;;
        dnf:tools)
            echo "gcc pkgconf-pkg-config openssl-devel libzstd-devel xz-devel ostree-devel libblkid-devel" ;;
        esac
    done
}

# Prints a package, unless its program is here from elsewhere: the packages of nodejs's own project exclude npm's.
missing_program() { command -v "$1" >/dev/null || echo "$2"; }

package_family() {
    if command -v apt-get >/dev/null; then echo apt
    elif command -v dnf >/dev/null; then echo dnf
    else fail "this machine has neither apt nor dnf: install the packages listed in script/lib.sh by hand"
    fi
}

is_installed() {
    case $family in
    apt) [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ] ;;
    dnf) rpm -q --whatprovides "$1" >/dev/null 2>&1 ;;
    esac
}

# Installs the missing packages of the given sets without questions; does nothing if none is missing.
install_packages() {
    local missing=()
    family=$(package_family)
    for package in $(packages "$@"); do
        is_installed "$package" || missing+=("$package")
    done
    if [ ${#missing[@]} = 0 ]; then say "packages: all installed"; return; fi
    say "packages: installing ${missing[*]}"
    case $family in
    apt)
        as_root apt-get update -q
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" ;;
    dnf) as_root dnf install -y --setopt=install_weak_deps=False "${missing[@]}" ;;
    esac >&2 </dev/null
}

is_new_enough() { "$1" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

choose_python() {
    for python in python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if is_new_enough "$python"; then echo "$python"; return; fi
    done
    fail "bootimg needs Python 3.11 or newer with venv; python3 here is $(python3 --version 2>&1)"
}

# Installs exactly the packages of a file of requirements/, and no file whose digest is not in it.  $1: pip; $2: the file.
install_locked() {
    "$1" install -q --disable-pip-version-check --no-deps --require-hashes -r "requirements/$2.txt" >&2
}

# Makes .venv with bootimg in it, or updates it when its dependencies changed.  $1: run or test.
make_venv() {
    local stamp python
    is_new_enough .venv/bin/python || {
        python=$(choose_python) || exit
        say "venv: making .venv with $("$python" --version)"
        "$python" -m venv --clear .venv
    }
    stamp=.venv/installed-$(printf '%s ' "$@" "$PWD" | cat - pyproject.toml setup.py requirements/*.txt | sha256sum | cut -c1-16)
    if [ -e "$stamp" ]; then say "venv: .venv is current"; return; fi
    say "venv: installing requirements/$1.txt"
    install_locked .venv/bin/pip build
    install_locked .venv/bin/pip "$1"
    .venv/bin/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e . >&2
    touch "$stamp"
}

# Fetches osbuild's source, outside the tree, for the tests that run it: Debian does not package it.  If
# the source is not available, the tests check the manifests only against the schemas of its stages, and say so.
find_osbuild() {
    local folder=${BOOTIMG_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bootimg-tests}/osbuild
    if [ -n "${BOOTIMG_OSBUILD_SOURCE:-}" ] || command -v osbuild >/dev/null; then return; fi
    if [ ! -d "$folder/stages" ]; then
        rm -rf "$folder.partial"
        GIT_TERMINAL_PROMPT=0 timeout 60 git clone -q --depth 1 --branch v190 \
            https://github.com/osbuild/osbuild "$folder.partial" || { say "osbuild: not available here"; return 0; }
        mv "$folder.partial" "$folder"
    fi
    export BOOTIMG_OSBUILD_SOURCE=$folder
}
