# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the scripts of this folder share. Sourced by them, never run.

set -euo pipefail
export LC_ALL=C
umask 022

GUEST_IMAGES=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PROGRAM=guest-images/$(basename "$0")
CACHE=${SPINDLE_CACHE:-${XDG_CACHE_HOME:-${HOME:-$GUEST_IMAGES}/.cache}/spindle}
# Every file put into an image carries this time, so that the same input gives the same bytes.
EPOCH=1700000000

say() { printf '%s: %s\n' "$PROGRAM" "$*" >&2; }

die() {
  say "$*"
  exit 1
}

usage_error() {
  say "$* (see $PROGRAM --help)"
  exit 2
}

# Prints the comment block at the top of the script: one text serves reader and --help alike.
print_help() {
  sed -n '3,/^$/ s/^# \{0,1\}//p' "$0"
  exit 0
}

# needs_value OPTION COUNT: fails unless another word follows the option.
needs_value() {
  [ "$2" -ge 2 ] || usage_error "$1 needs a value"
}

# check_output FILE: fails unless FILE can be written; to be called before what takes long.
check_output() {
  local folder
  folder=$(dirname -- "$1")
  [ -d "$folder" ] || die "there is no folder $folder to write $(basename -- "$1") to"
  [ ! -d "$1" ] || die "$1 is a folder; --output takes a file's name"
  if [ -e "$1" ]; then
    [ -w "$1" ] || die "no permission to write to $1"
  else
    [ -w "$folder" ] || die "no permission to write to the folder $folder"
  fi
}

is_number() {
  case $1 in
    '' | *[!0-9]*) return 1 ;;
  esac
}

# require PROGRAM PACKAGE
require() {
  PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null 2>&1 ||
    die "the program '$1' is missing; 'guest-images/install-packages' installs it (Debian package $2)"
}

# A folder for unfinished work, on the cache's file system so that finishing is a rename.
TEMP=
make_temp() {
  [ -z "$TEMP" ] || return 0
  mkdir -p "$CACHE/tmp" 2>/dev/null || die "cannot create the cache folder $CACHE"
  TEMP=$(mktemp -d "$CACHE/tmp/$(basename "$0").XXXXXX")
  trap 'rm -rf "$TEMP"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
}

# under_lock NAME COMMAND...: one at a time among all processes that use this cache.
under_lock() {
  local name=$1
  shift
  mkdir -p "$CACHE/locks" 2>/dev/null || die "cannot create the cache folder $CACHE"
  (
    if ! flock -n 9; then
      say "waiting for another process that is preparing the same thing ($name)"
      flock 9
    fi
    "$@"
  ) 9>"$CACHE/locks/$name"
}

# build_once TARGET BUILDER ARGS...: makes TARGET by `BUILDER TEMPORARY ARGS...` unless it is there.
build_once() {
  # Before it is looked for, too: nobody removes it then between the look and its use.
  mark_used "$1"
  if [ ! -e "$1" ]; then
    make_temp
    mkdir -p "$(dirname "$1")"
    under_lock "$(basename "$1")" build_if_absent "$@"
  fi
  mark_used "$1"
}

build_if_absent() {
  local target=$1 builder=$2
  shift 2
  [ -e "$target" ] && return 0
  rm -rf "$TEMP/result"
  "$builder" "$TEMP/result" "$@"
  mv "$TEMP/result" "$target"
  remove_outdated
}

# What is made from something else has another name once that has changed, and nobody asks for the old one any
# more. The time of access tells when somebody did last; the time of modification must stay, as some keys have it.
mark_used() {
  touch -a -c "$1" 2>/dev/null || true
}

# Removes what nobody has asked for in a day, once something new has been made. A machine that runs for longer
# has its images open, and keeps them. The kernel that was fetched last stays in any case.
remove_outdated() {
  local current
  current=$(readlink "$CACHE/kernel") || current=none
  # Others may be cleaning up as well, and be faster.
  find "$CACHE" -ignore_readdir_race -mindepth 1 -maxdepth 1 -amin +1440 ! -name "$current" \
    \( -name 'initrd-*.img' -o -name 'root-disk-*.img' -o -name 'kvm-host-*.img' -o -name 'input-*.img' \
    -o -name 'emulator-*' -o -name 'storage-daemon-*' -o -name 'kernel-*' \) -exec rm -rf {} + || true
}

# key_of WORDS...: a short name for what an image is made from: these words and the files that build it.
key_of() {
  {
    printf '%s\n' "$@"
    cat "$GUEST_IMAGES/lib.sh" "$0"
    find "$GUEST_IMAGES/inside" -type f -print0 | sort -z | xargs -0 cat
  } | sha256sum | cut -c 1-16
}

# A UUID that depends on the words only.
uuid_of() {
  printf '%s\n' "$@" | sha256sum |
    sed -E 's/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*/\1-\2-4\3-8\4-\5/'
}

# ---- Debian packages ------------------------------------------------------------------------------------

APT=(apt-get -q -o APT::Sandbox::User=root -o APT::Install-Recommends=false)

# A private view of the archive: the same mirror, with the backports, touching no list of the system's.
private_apt() {
  "${APT[@]}" -o Dir::Etc::sourcelist="$TEMP/backports.sources" -o Dir::Etc::sourceparts=- \
    -o Dir::State::lists="$TEMP/lists" -o Dir::Cache="$TEMP/cache" "$@"
}

# unpack_backports FOLDER PACKAGES...: unpacks what the release's backports have there, installing nothing. They
# use the libraries of those that are installed.
unpack_backports() {
  local folder=$1 mirror release file
  shift
  # shellcheck disable=SC2016 # apt-get's own variables
  read -r mirror release < <(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' \
    'Created-By: Packages' 'Component: main' | grep -E '^[^ ]*/debian/? [a-z]+$' | head -n 1) || return 1
  mkdir -p "$TEMP/lists/partial" "$TEMP/cache/archives/partial" "$TEMP/packages" "$folder"
  printf 'Types: deb\nURIs: %s\nSuites: %s-backports\nComponents: main\nSigned-By: %s\n' \
    "$mirror" "$release" /usr/share/keyrings/debian-archive-keyring.gpg >"$TEMP/backports.sources"
  private_apt update >"$TEMP/apt.log" 2>&1 || return 1
  (cd "$TEMP/packages" && private_apt download "$@" >"$TEMP/apt.log" 2>&1) || return 1
  for file in "$TEMP"/packages/*.deb; do
    dpkg-deb -x "$file" "$folder" || return 1
  done
}

# major_version PROGRAM: of one of QEMU's.
major_version() {
  "$1" --version 2>/dev/null | sed -nE '1s/.*version ([0-9]+)\..*/\1/p'
}

apt_update() {
  [ "$(id -u)" = 0 ] || die "Debian's package lists are missing or out of date; run 'apt-get update' as root"
  say "updating Debian's package lists"
  "${APT[@]}" update >"$CACHE/apt-update.log" 2>&1 ||
    die "'apt-get update' failed: $(tail -n 1 "$CACHE/apt-update.log")"
}

# Lines "name version architecture" for the packages and all they depend on, whatever this machine has.
resolve_packages() {
  local status="$TEMP/empty-status"
  : >"$status"
  "${APT[@]}" -s -o Debug::NoLocking=true -o Dir::State::status="$status" install "$@" 2>"$TEMP/apt.log" |
    sed -nE 's/^Inst ([^ ]+) \(([^ ]+) .*\[([a-z0-9]+)\].*/\1 \2 \3/p'
}

# download_packages RESOLVED-FILE: brings each package of that list into the cache; prints the files.
download_packages() {
  local name version architecture file
  local -a missing=()
  mkdir -p "$CACHE/packages"
  while read -r name version architecture; do
    file=$CACHE/packages/${name}_${version//:/%3a}_$architecture.deb
    [ -e "$file" ] || missing+=("$name=$version")
    printf '%s\n' "$file"
  done <"$1"
  if [ ${#missing[@]} -gt 0 ]; then
    say "downloading ${#missing[@]} Debian package(s)"
    rm -rf "$TEMP/download"
    mkdir "$TEMP/download"
    (cd "$TEMP/download" && "${APT[@]}" download "${missing[@]}" >apt.log 2>&1) ||
      die "cannot download Debian packages: $(grep -E '^[EW]:' "$TEMP/download/apt.log" | tail -n 1)"
    mv "$TEMP"/download/*.deb "$CACHE/packages/"
  fi
}

# unpack_packages FOLDER FILTER PACKAGES...: unpacks those packages, and of what they depend on the packages
# whose name FILTER (an extended regular expression) matches.
unpack_packages() {
  local into=$1 filter=$2 file
  shift 2
  require apt-get apt
  require dpkg-deb dpkg
  make_temp
  under_lock packages fetch_packages "$filter" "$@"
  say "unpacking $(wc -l <"$TEMP/files") Debian package(s)"
  mkdir -p "$into"
  while read -r file; do
    dpkg-deb -x "$file" "$into"
  done <"$TEMP/files"
}

fetch_packages() {
  local filter=$1 wanted
  shift
  resolve_packages "$@" >"$TEMP/all" || true
  if [ ! -s "$TEMP/all" ]; then
    apt_update
    resolve_packages "$@" >"$TEMP/all" ||
      die "Debian's package(s) $* cannot be had: $(grep '^E:' "$TEMP/apt.log" | head -n 1)"
  fi
  wanted=$(printf '%s|' "$@")
  awk -v filter="$filter" -v wanted="|$wanted" \
    'index(wanted, "|" $1 "|") || $1 ~ filter' "$TEMP/all" >"$TEMP/chosen"
  # Lists older than the archive name files that are gone; one update puts that right.
  if ! (download_packages "$TEMP/chosen") >"$TEMP/files"; then
    apt_update
    resolve_packages "$@" >"$TEMP/all"
    awk -v filter="$filter" -v wanted="|$wanted" \
      'index(wanted, "|" $1 "|") || $1 ~ filter' "$TEMP/all" >"$TEMP/chosen"
    download_packages "$TEMP/chosen" >"$TEMP/files"
  fi
}

# Packages of libraries, interpreters' own left out. (Its users source this file.)
# shellcheck disable=SC2034
LIBRARIES='^(lib|zlib)([^p]|p[^ey]|p[ey]$|pe[^r]|py[^t])'

# install_programs ROOT UNPACKED PATHS...: copies programs and libraries from an unpacked tree, with every
# library they load. Libraries lie flat in one folder, where the dynamic linker looks by default.
LIBRARY_FOLDER=usr/lib/x86_64-linux-gnu
install_programs() {
  local root=$1 unpacked=$2 path source folders library
  shift 2
  mkdir -p "$root/$LIBRARY_FOLDER" "$root/usr/lib64"
  folders=$(find "$unpacked" -name '*.so*' -printf '%h\n' | sort -u | tr '\n' ':')
  local linker
  linker=$(find "$unpacked/lib" -name 'ld-linux-x86-64.so.2' -type f -print -quit)
  [ -n "$linker" ] || die "the unpacked packages hold no dynamic linker"
  install -m 0755 "$linker" "$root/$LIBRARY_FOLDER/ld-linux-x86-64.so.2"
  ln -sf "../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" "$root/usr/lib64/ld-linux-x86-64.so.2"
  for path; do
    source=$unpacked/$path
    [ -e "$source" ] || die "no $path in the unpacked packages"
    if [[ $path == *.so* ]]; then
      cp -L "$source" "$root/$LIBRARY_FOLDER/$(basename "$path")"
    else
      path=usr/${path#usr/}
      mkdir -p "$root/$(dirname "$path")"
      cp -L "$source" "$root/$path"
    fi
    "$linker" --inhibit-cache --library-path "$folders" --list "$source" >"$TEMP/libraries" 2>&1 ||
      die "cannot tell the libraries of $path: $(head -n 1 "$TEMP/libraries")"
    if grep -q 'not found' "$TEMP/libraries"; then
      die "$path needs a library that no package brought: $(grep 'not found' "$TEMP/libraries" | head -n 1)"
    fi
    while read -r library; do
      [ -e "$root/$LIBRARY_FOLDER/$(basename "$library")" ] ||
        cp -L "$library" "$root/$LIBRARY_FOLDER/$(basename "$library")"
    done < <(sed -nE "s#^.* => ($unpacked/[^ ]+) .*#\\1#p" "$TEMP/libraries")
  done
}

# The folders every root file system here has, /bin and the like being parts of /usr as in Debian, and busybox.
make_root_tree() {
  local root=$1 busybox=$2 name
  mkdir -p "$root"/{dev,etc,proc,root,run,sys,tmp,usr/bin,usr/lib,usr/lib64,usr/sbin,var}
  for name in bin lib lib64 sbin; do
    ln -s "usr/$name" "$root/$name"
  done
  chmod 1777 "$root/tmp"
  printf 'root:x:0:0:root:/root:/bin/sh\n' >"$root/etc/passwd"
  printf 'root:x:0:\n' >"$root/etc/group"
  install -m 0755 "$busybox" "$root/usr/bin/busybox"
  while read -r name; do
    ln -s busybox "$root/usr/bin/$name"
  done < <("$busybox" --list | grep -vx busybox)
}

# install_module MODULES NAME FOLDER: copies a kernel module, without its signature: Debian's kernel does not
# insist on one, and checking it takes an emulated machine longer than everything else about loading it.
# A signed module ends in the signature, twelve bytes whose last four are its length (big-endian), and a mark.
install_module() {
  local source mark='~Module signature appended~' size length
  source=$(find "$1" -name "$2.ko" -print -quit)
  [ -n "$source" ] || die "the kernel has no module $2"
  size=$(stat -c %s "$source")
  mkdir -p "$3"
  if [ "$(tail -c 28 "$source" | tr -d '\n')" = "$mark" ]; then
    length=$((16#$(tail -c 32 "$source" | head -c 4 | od -A n -t x1 | tr -d ' \n')))
    head -c $((size - 40 - length)) "$source" >"$3/$2.ko"
  else
    cp "$source" "$3/$2.ko"
  fi
}

# ---- images ---------------------------------------------------------------------------------------------

# Runs a command so that the files of this user look like root's to it.
as_root_or_like() {
  if [ "$(id -u)" != 0 ] && unshare -r true 2>/dev/null; then
    unshare -r "$@"
  else
    "$@"
  fi
}

# Gives a tree's files the one time that makes images reproducible.
fix_times() {
  find "$1" -exec touch -h -d "@$EPOCH" {} +
}

# make_ext4 IMAGE TREE SIZE-MIB INODES MKE2FS-OPTIONS...: an ext4 image of a tree; same tree, same bytes.
make_ext4() {
  local image=$1 tree=$2 size=$3 inodes=$4 uuid
  shift 4
  require mke2fs e2fsprogs
  uuid=$(uuid_of "$(basename "$0")" "$size")
  rm -f "$image"
  truncate -s "${size}M" "$image"
  # No lazy initialisation: the guest would do it behind the back of whoever measures its disk.
  E2FSPROGS_FAKE_TIME=$EPOCH PATH=$PATH:/usr/sbin:/sbin as_root_or_like \
    mke2fs -q -F -t ext4 -b 4096 -I 256 -N "$inodes" -m 0 -U "$uuid" \
    -E "hash_seed=$uuid,root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0,nodiscard" \
    -d "$tree" "$@" "$image" >"$TEMP/mke2fs.log" 2>&1 ||
    die "mke2fs cannot make an image of $size MiB: $(tail -n 1 "$TEMP/mke2fs.log")"
}

# mke2fs takes each file's change time from the staged copy, which nobody can set; write it afterwards.
fix_change_times() {
  local image=$1 tree=$2
  (cd "$tree" && find . -printf 'set_inode_field "/%P" ctime @'"$EPOCH"'\nset_inode_field "/%P" ctime_extra 0\n') |
    sort >"$TEMP/times"
  E2FSPROGS_FAKE_TIME=$EPOCH PATH=$PATH:/usr/sbin:/sbin debugfs -w -f "$TEMP/times" "$image" \
    >"$TEMP/debugfs.log" 2>&1 || die "debugfs failed on $image: $(tail -n 1 "$TEMP/debugfs.log")"
}

# A copy that keeps holes, sharing blocks where the file system can.
copy_sparse() {
  cp --reflink=auto --sparse=always "$1" "$2"
  chmod u+w "$2"
}
