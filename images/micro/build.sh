#!/bin/sh
# Builds the base image `micro` into OUTPUT_DIR: micro.qcow2 and its manifest micro.json.
# Everything comes from Debian packages; no root, no mounts, no loop devices.
set -eu

OUTPUT=${1:?usage: build.sh OUTPUT_DIR}
HERE=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd -P)
PATH="$PATH:/usr/sbin:/sbin"
mkdir -p "$OUTPUT"
OUTPUT=$(CDPATH= cd -- "$OUTPUT" && pwd -P)
WORK=$(mktemp -d "$OUTPUT/.micro-build.XXXXXX")
trap 'rm -rf "$WORK"' EXIT

# Sizes in 512-byte sectors. The root file system is sparse: it costs what is in it.
BOOT_START=2048
BOOT_SECTORS=49152 # 24 MiB: the kernel (14 MB) and the initrd (3 MB)
ROOT_START=51200
ROOT_SECTORS=2043904
DISK_BYTES=1073741824 # 1 GiB, the smallest disk that a machine can have

# In this order: each needs those before it.
MODULES="drivers/virtio/virtio_ring drivers/virtio/virtio drivers/virtio/virtio_pci_modern_dev
drivers/virtio/virtio_pci_legacy_dev drivers/virtio/virtio_pci drivers/block/virtio_blk
net/core/failover drivers/net/net_failover drivers/net/virtio_net drivers/char/hw_random/virtio-rng
drivers/acpi/button drivers/input/evdev drivers/cdrom/cdrom fs/isofs/isofs"

check_host() {
  missing=$(grep -v '^#' "$HERE/packages.txt" | while read -r package; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || printf '%s ' "$package"
  done)
  [ -z "$missing" ] && return
  echo "build.sh: please install: $missing" >&2
  exit 1
}

download() {
  cd "$WORK"
  kernel=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
  # apt fetches as its own user, who can't write here: it says so and goes on as us.
  apt-get download -qq "$kernel" dropbear-bin libtomcrypt1 libtommath1 zlib1g libcrypt1 libgmp10 libc6 2>apt.log ||
    { cat apt.log >&2; echo "build.sh: run apt-get update, then try again" >&2; exit 1; }
  mkdir kernel packages
  dpkg-deb -x "$kernel"_*.deb kernel
  for package in dropbear-bin libtomcrypt1 libtommath1 zlib1g libcrypt1 libgmp10 libc6; do
    dpkg-deb -x "${package}"_*.deb packages
  done
}

build_initrd() {
  tree="$WORK/initramfs"
  mkdir -p "$tree/bin" "$tree/dev" "$tree/root" "$tree/modules"
  cp /bin/busybox "$tree/bin/"
  for applet in sh insmod mount usleep switch_root; do ln -s busybox "$tree/bin/$applet"; done
  install -m 755 "$HERE/initramfs/init" "$tree/init"
  number=10
  for module in $MODULES; do
    cp "$WORK"/kernel/lib/modules/*/kernel/"$module.ko" "$tree/modules/$number-$(basename "$module").ko"
    number=$((number + 1))
  done
  # Not compressed: under emulation, unpacking costs more than reading.
  (cd "$tree" && find . | LC_ALL=C sort | cpio -o -H newc --quiet --reproducible -R 0:0) >"$WORK/initrd"
}

build_root() {
  tree="$WORK/root"
  mkdir -p "$tree"/bin "$tree"/sbin "$tree"/usr/bin "$tree"/usr/sbin "$tree"/etc "$tree"/proc "$tree"/sys \
    "$tree"/dev "$tree"/run "$tree"/tmp "$tree"/root "$tree"/var/log "$tree"/var/lib "$tree"/lib/x86_64-linux-gnu "$tree"/lib64
  cp /bin/busybox "$tree/bin/"
  for applet in $(/bin/busybox --list); do
    [ "$applet" = busybox ] || ln -sf /bin/busybox "$tree/bin/$applet"
  done
  ln -sf /bin/busybox "$tree/sbin/init"
  for applet in getty reboot poweroff; do ln -sf /bin/busybox "$tree/sbin/$applet"; done
  cp "$WORK/packages/usr/sbin/dropbear" "$WORK/packages/usr/bin/dropbearkey" "$tree/usr/sbin/"
  for library in libtomcrypt.so.1 libtommath.so.1 libz.so.1 libcrypt.so.1 libgmp.so.10 libc.so.6; do
    cp -L "$(find "$WORK/packages" -name "$library" | head -n 1)" "$tree/lib/x86_64-linux-gnu/$library"
  done
  cp -L "$(find "$WORK/packages" -name 'ld-linux-x86-64.so.2' -not -type d | head -n 1)" "$tree/lib64/"
  cp -R "$HERE/rootfs/." "$tree/"
  find "$tree/etc/init.d" "$tree/etc/acpi" "$tree/usr/share/udhcpc" "$tree/usr/sbin" -type f -exec chmod 755 {} +
  echo micro >"$tree/etc/hostname"
  echo 'root::0:0:root:/root:/bin/sh' >"$tree/etc/passwd"
  echo 'root:x:0:' >"$tree/etc/group"
  echo '/bin/sh' >"$tree/etc/shells"
  # No journal: a crash may cost the last seconds of a throw-away machine, never its start.
  mke2fs -q -F -t ext4 -d "$tree" -L micro-root -m 0 -O ^has_journal,^metadata_csum \
    -E root_owner=0:0,lazy_itable_init=1 "$WORK/root.img" $((ROOT_SECTORS / 2))k >/dev/null
}

build_disk() {
  disk="$WORK/disk.img"
  truncate -s "$DISK_BYTES" "$disk"
  sfdisk -q "$disk" <<END
label: dos
label-id: 0x6d696372
start=$BOOT_START, size=$BOOT_SECTORS, type=6, bootable
start=$ROOT_START, size=$ROOT_SECTORS, type=83
END
  dd if="/usr/lib/syslinux/mbr/mbr.bin" of="$disk" bs=440 count=1 conv=notrunc status=none
  truncate -s $((BOOT_SECTORS * 512)) "$WORK/boot.img"
  mformat -i "$WORK/boot.img" -T "$BOOT_SECTORS" -h 255 -s 63 -H "$BOOT_START" -N 6d696372 -v MICRO ::
  mcopy -i "$WORK/boot.img" "$WORK"/kernel/boot/vmlinuz-* ::vmlinuz
  mcopy -i "$WORK/boot.img" "$WORK/initrd" "$HERE/syslinux.cfg" ::
  syslinux --install "$WORK/boot.img"
  dd if="$WORK/boot.img" of="$disk" bs=512 seek="$BOOT_START" conv=notrunc,sparse status=none
  dd if="$WORK/root.img" of="$disk" bs=512 seek="$ROOT_START" conv=notrunc,sparse status=none
  qemu-img convert -f raw -O qcow2 -o cluster_size=64k,lazy_refcounts=on "$disk" "$WORK/micro.qcow2"
}

publish() {
  qemu-img check -q "$WORK/micro.qcow2"
  sum=$(sha256sum "$WORK/micro.qcow2" | cut -d ' ' -f 1)
  cat >"$WORK/micro.json" <<END
{
  "name": "micro",
  "version": "$(printf %.12s "$sum")",
  "sha256": "$sum",
  "format": "qcow2",
  "virtualSizeBytes": $DISK_BYTES,
  "os": "linux",
  "firmware": "bios",
  "minMemoryMiB": 96,
  "minDiskGiB": 1,
  "readyMarker": "FACTORY-READY"
}
END
  chmod 644 "$WORK/micro.qcow2" "$WORK/micro.json"
  # The image first: whoever sees the manifest finds what it describes.
  mv "$WORK/micro.qcow2" "$OUTPUT/micro.qcow2"
  mv "$WORK/micro.json" "$OUTPUT/micro.json"
}

check_host
download
build_initrd
build_root
build_disk
publish
echo "built $OUTPUT/micro.qcow2: $(du -h "$OUTPUT/micro.qcow2" | cut -f 1)"
