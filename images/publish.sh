# Sourced by the build.sh of each image.

# Puts an image and its manifest among the images of a factory, under the checksum of its bytes: a version
# never changes, for disks lie upon it. Both are first copied beside it, which may be on shared storage, and
# synced.
# publish_image NAME FILE VIRTUAL_SIZE_BYTES OUTPUT_DIR FIELDS: FIELDS are further lines of the manifest.
# Sets IMAGE to where it is, without its ending.
publish_image() {
  qemu-img check -q "$2"
  sum=$(sha256sum "$2" | cut -d ' ' -f 1)
  IMAGE="$4/$1/$sum"
  [ ! -e "$IMAGE.json" ] || return 0 # the very same bytes were published before
  cat >"$2.json" <<END
{
  "name": "$1",
  "version": "$sum",
  "format": "qcow2",
  "sizeBytes": $(stat -c %s "$2"),
  "virtualSizeBytes": $3,
  "createdAtMs": $(date +%s)000,
$5
}
END
  chmod 644 "$2" "$2.json"
  mkdir -p "$4/$1"
  partial="$4/$1/.partial-$sum"
  cp "$2" "$partial.qcow2"
  cp "$2.json" "$partial.json"
  sync "$partial.qcow2" "$partial.json"
  # The image first: whoever sees the manifest finds what it describes.
  mv "$partial.qcow2" "$IMAGE.qcow2"
  mv "$partial.json" "$IMAGE.json"
  sync "$4/$1"
}
