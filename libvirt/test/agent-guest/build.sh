#!/bin/sh
# Builds a guest into OUTPUT_DIR that does nothing but run Debian's QEMU guest agent: vmlinuz,
# initrd and disk.img, a small ext4 file system for freezing. Needs busybox-static, cpio,
# e2fsprogs and Debian's packages; no root.
set -eu

OUTPUT=${1:?usage: build.sh OUTPUT_DIR}
HERE=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd -P)
PATH="$PATH:/usr/sbin:/sbin"
# In the order they are loaded.
MODULES="virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk virtio_console"
mkdir -p "$OUTPUT"
OUTPUT=$(CDPATH= cd -- "$OUTPUT" && pwd -P)
WORK=$(mktemp -d "$OUTPUT/.build.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
cd "$WORK"

fetch() {
  kernel=$(apt-cache depends linux-image-cloud-amd64 |
    sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
  [ -n "$kernel" ] && apt-get download -qq "$kernel" qemu-guest-agent
}
fetch 2>/dev/null || { apt-get update -qq && fetch; }
for package in *.deb; do dpkg-deb -x "$package" packages; done

for directory in bin dev etc lib/x86_64-linux-gnu lib64 mnt modules proc root run sys tmp usr/sbin \
  var/run; do mkdir -p "tree/$directory"; done
cp /bin/busybox tree/bin/
for applet in sh mount cat grep insmod hostname; do ln -s busybox "tree/bin/$applet"; done
install -m 755 "$HERE/init" tree/init
install -m 755 "$HERE/chpasswd" tree/usr/sbin/chpasswd
cp packages/usr/sbin/qemu-ga tree/usr/sbin/
ldd packages/usr/sbin/qemu-ga | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p' | while read -r library; do
  cp -L "$library" tree/lib/x86_64-linux-gnu/
done
cp -L /lib64/ld-linux-x86-64.so.2 tree/lib64/
for module in $MODULES; do
  file=$(find packages/lib/modules -name "$module.ko")
  # A module that is built in has no file.
  [ -z "$file" ] || { cp "$file" tree/modules/ && echo "$module" >>tree/modules/order; }
done
echo 'root:x:0:0:root:/root:/bin/sh' >tree/etc/passwd
echo 'root:x:0:' >tree/etc/group
printf 'ID=tiny\nNAME=Tiny\nPRETTY_NAME="A tiny guest"\nVERSION_ID=1\n' >tree/etc/os-release
(cd tree && find . | cpio -o -H newc --quiet -R 0:0) >initrd
truncate -s 8M disk.img
mke2fs -q -F -t ext4 disk.img
chmod 644 initrd disk.img
mv initrd disk.img "$OUTPUT/"
# The kernel last: where it is, all is.
cp packages/boot/vmlinuz-* vmlinuz
chmod 644 vmlinuz
mv vmlinuz "$OUTPUT/"
