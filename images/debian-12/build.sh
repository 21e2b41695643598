#!/bin/sh
# Builds the base image `debian-12` into OUTPUT_DIR/debian-12: SHA256.qcow2 and its manifest SHA256.json.
# Starts with BIOS and with UEFI. Needs root (packages are installed in a chroot), no loop devices.
set -eu

OUTPUT=${1:?usage: build.sh OUTPUT_DIR}
HERE=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd -P)
. "$HERE/../publish.sh"
PATH="$PATH:/usr/sbin:/sbin"
mkdir -p "$OUTPUT"
OUTPUT=$(CDPATH= cd -- "$OUTPUT" && pwd -P)
WORK=$(mktemp -d "$OUTPUT/.debian-12-build.XXXXXX")
trap 'rm -rf "$WORK"' EXIT

# Partitions in 512-byte sectors: GRUB's own for BIOS, the one of UEFI, and the root, which grows with
# the disk at the first boot because it is the last.
CORE_START=2048
CORE_SECTORS=2048
EFI_START=4096
EFI_SECTORS=32768
ROOT_START=36864
DISK_BYTES=3221225472 # 3 GiB; what is empty of it takes no room
END_SECTORS=2048      # the second partition table
ROOT_SECTORS=$((DISK_BYTES / 512 - ROOT_START - END_SECTORS))
GRUB_MODULES="part_gpt ext2 search search_fs_uuid normal configfile linux serial terminal test echo"

say() { echo "debian-12: $*"; }

check_host() {
  [ "$(id -u)" = 0 ] || { echo "build.sh: needs root, to install packages in a chroot" >&2; exit 1; }
  missing=$(grep -v '^#' "$HERE/packages.txt" | while read -r package; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || printf '%s ' "$package"
  done)
  [ -z "$missing" ] && return
  echo "build.sh: please install: $missing" >&2
  exit 1
}

build_root() {
  say "installing Debian's packages (a minute or two)"
  packages=$(grep -v '^#' "$HERE/guest-packages.txt" | paste -sd,)
  # The folder of ours goes in before the packages: their initrd is made with it.
  mmdebstrap --quiet --variant=minbase --include="$packages" \
    --essential-hook="copy-in $HERE/rootfs/etc /" \
    --customize-hook='chroot "$1" systemctl -q enable systemd-networkd systemd-resolved ssh factory-ready' \
    --customize-hook='ln -sf ../run/systemd/resolve/stub-resolv.conf "$1/etc/resolv.conf"' \
    --customize-hook='rm -f "$1/etc/machine-id" "$1/var/lib/dbus/machine-id" "$1"/etc/ssh/ssh_host_*' \
    --customize-hook='touch "$1/etc/machine-id"' \
    --customize-hook='echo debian-12 >"$1/etc/hostname"' \
    --customize-hook='printf "127.0.0.1 localhost\n" >"$1/etc/hosts"' \
    --customize-hook='chroot "$1" passwd -q -l root' \
    bookworm "$WORK/root"
  ROOT_UUID=$(cat /proc/sys/kernel/random/uuid)
  EFI_ID=$(od -An -N4 -tx4 /dev/urandom | tr -d ' ')
  printf 'UUID=%s / ext4 errors=remount-ro 0 1\n' "$ROOT_UUID" >"$WORK/root/etc/fstab"
  mkdir -p "$WORK/root/boot/grub"
  sed "s/@ROOT_UUID@/$ROOT_UUID/" "$HERE/grub.cfg" >"$WORK/root/boot/grub/grub.cfg"
  mke2fs -q -F -t ext4 -d "$WORK/root" -L debian-12 -U "$ROOT_UUID" -E lazy_itable_init=1 \
    "$WORK/root.img" $((ROOT_SECTORS / 2))k
}

# GRUB finds the root by its id; all that it needs is in one file for each firmware.
build_grub() {
  printf 'search --no-floppy --fs-uuid --set=root %s\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n' \
    "$ROOT_UUID" >"$WORK/early.cfg"
  # shellcheck disable=SC2086
  grub-mkimage -O i386-pc -p /boot/grub -c "$WORK/early.cfg" -o "$WORK/core.img" biosdisk $GRUB_MODULES
  # shellcheck disable=SC2086
  grub-mkimage -O x86_64-efi -p /boot/grub -c "$WORK/early.cfg" -o "$WORK/BOOTX64.EFI" fat efi_gop $GRUB_MODULES
  truncate -s $((EFI_SECTORS * 512)) "$WORK/efi.img"
  mkfs.vfat -i "$EFI_ID" -n EFI "$WORK/efi.img" >/dev/null
  mmd -i "$WORK/efi.img" ::EFI ::EFI/BOOT
  mcopy -i "$WORK/efi.img" "$WORK/BOOTX64.EFI" ::EFI/BOOT/BOOTX64.EFI
}

# Writes a number into a file, least byte first: put FILE OFFSET BYTES NUMBER
put() {
  number=$4 index=0
  while [ "$index" -lt "$3" ]; do
    # shellcheck disable=SC2059
    printf "\\$(printf %o $((number & 255)))" | dd of="$1" bs=1 seek=$(($2 + index)) conv=notrunc status=none
    number=$((number >> 8)) index=$((index + 1))
  done
}

# What grub-bios-setup does, on a file: the boot sector is told where the core begins, and the core's
# first sector where the rest of it is (GRUB 2.06: grub-core/boot/i386/pc/boot.S and diskboot.S).
install_grub_for_bios() {
  core_sectors=$((($(stat -c %s "$WORK/core.img") + 511) / 512))
  [ "$core_sectors" -le "$CORE_SECTORS" ] || { echo "build.sh: GRUB's core is too large" >&2; exit 1; }
  cp /usr/lib/grub/i386-pc/boot.img "$WORK/boot.img"
  put "$WORK/boot.img" 92 8 "$CORE_START"
  put "$WORK/core.img" 500 8 $((CORE_START + 1))
  put "$WORK/core.img" 508 2 $((core_sectors - 1))
  dd if="$WORK/boot.img" of="$1" bs=440 count=1 conv=notrunc status=none
  dd if="$WORK/core.img" of="$1" bs=512 seek="$CORE_START" conv=notrunc status=none
}

build_disk() {
  say "making the disk"
  disk="$WORK/disk.img"
  truncate -s "$DISK_BYTES" "$disk"
  sfdisk -q "$disk" <<END
label: gpt
start=$CORE_START, size=$CORE_SECTORS, type=21686148-6449-6E6F-744E-656564454649, name=bios
start=$EFI_START, size=$EFI_SECTORS, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name=efi
start=$ROOT_START, size=$ROOT_SECTORS, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, name=root
END
  install_grub_for_bios "$disk"
  dd if="$WORK/efi.img" of="$disk" bs=512 seek="$EFI_START" conv=notrunc,sparse status=none
  dd if="$WORK/root.img" of="$disk" bs=1M seek=$((ROOT_START * 512)) oflag=seek_bytes conv=notrunc,sparse status=none
  qemu-img convert -c -f raw -O qcow2 "$disk" "$WORK/debian-12.qcow2"
}

check_host
build_root
build_grub
build_disk
publish_image debian-12 "$WORK/debian-12.qcow2" "$DISK_BYTES" "$OUTPUT" '  "os": "linux",
  "firmware": "bios",
  "drivers": "virtio",
  "minMemoryMiB": 512,
  "minDiskGiB": 3,
  "readyMarker": "FACTORY-READY"'
say "built $IMAGE.qcow2: $(du -h "$IMAGE.qcow2" | cut -f 1)"
