#!/bin/sh
# Builds the base image `micro` into OUTPUT_DIR, as a new version: micro/<sha256>.qcow2 and its
# manifest <sha256>.json. Versions that are there stay as they are: disks lie upon them.
# Everything comes from Debian packages; no root, no mounts, no loop devices.
set -eu

OUTPUT=${1:?usage: build.sh OUTPUT_DIR}
HERE=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd -P)
. "$HERE/../publish.sh"
PATH="$PATH:/usr/sbin:/sbin"
mkdir -p "$OUTPUT"
OUTPUT=$(CDPATH= cd -- "$OUTPUT" && pwd -P)
# Not in the output, which may be on shared storage: thousands of small files would take minutes there.
WORK=$(mktemp -d "${TMPDIR:-/tmp}/micro-build.XXXXXX")
trap 'rm -rf "$WORK"' EXIT

# Sizes in 512-byte sectors. The root file system is sparse: it costs what is in it.
BOOT_START=2048
BOOT_SECTORS=49152 # 24 MiB: the kernel (14 MB) and the initrd (3 MB)
ROOT_START=51200
ROOT_SECTORS=2043904
DISK_BYTES=1073741824 # 1 GiB, the smallest disk that a machine can have

# What the kernel needs beyond what is built in (ext4, serial, PS/2 are); dependencies follow.
MODULES="virtio_blk virtio_pci virtio_net virtio_rng button evdev isofs"
# Loaded by the machine that has such a volume, and by no other.
VOLUME_MODULES="virtiofs"
# Loaded when everything else is up.
AGENT_MODULES="virtio_console"
# Programs, and what they are linked with.
PROGRAMS="dropbear-bin qemu-guest-agent"
LIBRARIES="libtomcrypt1 libtommath1 zlib1g libcrypt1 libgmp10 libc6 libglib2.0-0 libpcre2-8-0 libudev1 libnuma1 liburing2"

# One moment and fixed ids for all that carries them: the same packages give the same image.
export SOURCE_DATE_EPOCH=1700000000 E2FSPROGS_FAKE_TIME=1700000000
DISK_ID=6d696372
ROOT_UUID=6d696372-6f00-4000-8000-000000000001

check_host() {
  missing=$(grep -v '^#' "$HERE/packages.txt" | while read -r package; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || printf '%s ' "$package"
  done)
  [ -z "$missing" ] && return
  echo "build.sh: please install: $missing" >&2
  exit 1
}

fetch() {
  kernel=$(apt-cache "$@" depends linux-image-cloud-amd64 |
    sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
  [ -n "$kernel" ] || return 1
  # apt fetches as a user of its own, who can't write here: it says so, and goes on as us.
  # shellcheck disable=SC2086
  apt-get "$@" download -qq "$kernel" $PROGRAMS $LIBRARIES
}

# A machine without package lists, or with old ones, gets new ones of its own for this build.
fetch_with_fresh_lists() {
  mkdir -p lists/partial cache/archives/partial
  set -- -o Dir::State::Lists="$WORK/lists" -o Dir::Cache="$WORK/cache"
  apt-get "$@" -qq update && fetch "$@"
}

download() {
  cd "$WORK"
  fetch >apt.log 2>&1 || fetch_with_fresh_lists >>apt.log 2>&1 || {
    cat apt.log >&2
    echo "build.sh: Debian's packages can't be downloaded; is there a mirror in /etc/apt?" >&2
    exit 1
  }
  for package in linux-image-*.deb; do dpkg-deb -x "$package" kernel; done
  rm linux-image-*.deb
  for package in *.deb; do dpkg-deb -x "$package" packages; done
}

# Every file gets the same time; directories too, so it goes last.
settle_times() { find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +; }

# copy_modules TREE MODULE...: these and what they need.
copy_modules() {
  version=$(basename "$WORK"/kernel/lib/modules/*)
  tree=$1
  shift
  depmod -b "$WORK/kernel" "$version"
  modprobe -d "$WORK/kernel" -S "$version" -a --show-depends "$@" |
    sed -n 's/^insmod \(.*\.ko\).*/\1/p' | sort -u | while read -r module; do
    install -D -m 644 "$module" "$tree/lib/modules/$version/$(basename "$module")"
  done
  cp "$WORK/kernel/lib/modules/$version/modules.order" \
    "$WORK/kernel/lib/modules/$version/modules.builtin" "$tree/lib/modules/$version/"
  depmod -b "$tree" "$version"
  # Only this one is read; the others would be unpacked at every boot.
  find "$tree/lib/modules/$version" -name 'modules.*' ! -name modules.dep -delete
}

build_initrd() {
  tree="$WORK/initramfs"
  mkdir -p "$tree/bin" "$tree/dev" "$tree/proc" "$tree/root"
  cp /bin/busybox "$tree/bin/"
  for applet in sh mount cat modprobe usleep switch_root; do ln -s busybox "$tree/bin/$applet"; done
  install -m 755 "$HERE/initramfs/init" "$tree/init"
  # shellcheck disable=SC2086
  copy_modules "$tree" $MODULES
  echo "$MODULES" >"$tree/modules"
  settle_times "$tree"
  # Not compressed: under emulation, unpacking costs more than reading.
  (cd "$tree" && find . | LC_ALL=C sort | cpio -o -H newc --quiet --reproducible -R 0:0) >"$WORK/initrd"
}

copy_programs() {
  cp "$WORK/packages/usr/sbin/dropbear" "$WORK/packages/usr/bin/dropbearkey" \
    "$WORK/packages/usr/sbin/qemu-ga" "$1/usr/sbin/"
  for library in libtomcrypt.so.1 libtommath.so.1 libz.so.1 libcrypt.so.1 libgmp.so.10 libc.so.6 libm.so.6 \
    libglib-2.0.so.0 libgmodule-2.0.so.0 libpcre2-8.so.0 libudev.so.1 libnuma.so.1 liburing.so.2; do
    cp -L "$(find "$WORK/packages" -name "$library" | head -n 1)" "$1/lib/x86_64-linux-gnu/$library"
  done
  cp -L "$(find "$WORK/packages" -name ld-linux-x86-64.so.2 -not -type d | head -n 1)" "$1/lib64/"
}

build_root() {
  tree="$WORK/root"
  for directory in bin sbin etc/dropbear proc sys dev run tmp root/.ssh usr/bin usr/sbin var/log \
    var/lib/seed lib/x86_64-linux-gnu lib64; do mkdir -p "$tree/$directory"; done
  chmod 1777 "$tree/tmp"
  chmod 700 "$tree/root" "$tree/root/.ssh" "$tree/etc/dropbear" "$tree/var/lib/seed"
  cp /bin/busybox "$tree/bin/"
  for applet in $(/bin/busybox --list); do
    case "$applet" in
      busybox | poweroff | reboot | halt) ;; # the last three are ours: usr/sbin
      *) ln -sf busybox "$tree/bin/$applet" ;;
    esac
  done
  ln -sf /bin/busybox "$tree/sbin/init"
  copy_programs "$tree"
  # shellcheck disable=SC2086
  copy_modules "$tree" $VOLUME_MODULES $AGENT_MODULES
  cp -R "$HERE/rootfs/." "$tree/"
  find "$tree/etc/init.d" "$tree/etc/acpi" "$tree/usr/share/udhcpc" "$tree/usr/sbin" -type f -exec chmod 755 {} +
  echo micro >"$tree/etc/hostname"
  printf 'ID=micro\nNAME=Micro\nPRETTY_NAME="Compute Factory micro"\nVERSION_ID=1\n' >"$tree/etc/os-release"
  echo 'root::0:0:root:/root:/bin/sh' >"$tree/etc/passwd"
  echo 'root:x:0:' >"$tree/etc/group"
  echo '/bin/sh' >"$tree/etc/shells"
  settle_times "$tree"
  # A small journal: a machine that is cut off starts again with what it had written.
  mke2fs -q -F -t ext4 -d "$tree" -L micro-root -U "$ROOT_UUID" -m 0 -J size=4 -O ^metadata_csum \
    -E root_owner=0:0,lazy_itable_init=1,hash_seed="$ROOT_UUID" \
    "$WORK/root.img" $((ROOT_SECTORS / 2))k >/dev/null
}

build_disk() {
  disk="$WORK/disk.img"
  truncate -s "$DISK_BYTES" "$disk"
  sfdisk -q "$disk" <<END
label: dos
label-id: 0x$DISK_ID
start=$BOOT_START, size=$BOOT_SECTORS, type=6, bootable
start=$ROOT_START, size=$ROOT_SECTORS, type=83
END
  dd if="/usr/lib/syslinux/mbr/mbr.bin" of="$disk" bs=440 count=1 conv=notrunc status=none
  truncate -s $((BOOT_SECTORS * 512)) "$WORK/boot.img"
  mformat -i "$WORK/boot.img" -T "$BOOT_SECTORS" -h 255 -s 63 -H "$BOOT_START" -N $DISK_ID -v MICRO ::
  cp "$WORK"/kernel/boot/vmlinuz-* "$WORK/vmlinuz"
  cp "$HERE/syslinux.cfg" "$WORK/syslinux.cfg"
  touch -d "@$SOURCE_DATE_EPOCH" "$WORK/vmlinuz" "$WORK/initrd" "$WORK/syslinux.cfg"
  mcopy -m -i "$WORK/boot.img" "$WORK/vmlinuz" ::vmlinuz
  mcopy -m -i "$WORK/boot.img" "$WORK/initrd" "$WORK/syslinux.cfg" ::
  syslinux --install "$WORK/boot.img"
  dd if="$WORK/boot.img" of="$disk" bs=512 seek="$BOOT_START" conv=notrunc,sparse status=none
  dd if="$WORK/root.img" of="$disk" bs=512 seek="$ROOT_START" conv=notrunc,sparse status=none
  qemu-img convert -f raw -O qcow2 -o cluster_size=64k,lazy_refcounts=on "$disk" "$WORK/micro.qcow2"
}

check_host
download
build_initrd
build_root
build_disk
publish_image micro "$WORK/micro.qcow2" "$DISK_BYTES" "$OUTPUT" '  "os": "linux",
  "firmware": "bios",
  "drivers": "virtio",
  "minMemoryMiB": 96,
  "minDiskGiB": 1,
  "readyMarker": "FACTORY-READY"'
echo "built $IMAGE.qcow2: $(du -h "$IMAGE.qcow2" | cut -f 1)"
