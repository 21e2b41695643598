#!/bin/sh
# Makes the volume of a cluster on three servers, each of which has all of it:
#   create-volume.sh NAME SERVER:/BRICK SERVER:/BRICK SERVER:/BRICK
# Run it on the first of them, once; glusterd runs on all, and they reach each other. Run again, it
# sets the options anew and changes nothing else.
set -eu

[ $# -eq 4 ] || { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }
NAME=$1
shift
HERE=$(dirname "$0")
gluster() { command gluster --mode=script "$@"; }

if ! gluster volume info "$NAME" >/dev/null 2>&1; then
  for brick in "$@"; do
    server=${brick%%:*}
    [ "$server" = "$(hostname)" ] || gluster peer probe "$server"
  done
  gluster volume create "$NAME" replica 3 transport tcp "$@"
fi
cat "$HERE/volume-options.txt" "$HERE/replica-options.txt" | grep -v '^#' | while read -r option value; do
  gluster volume set "$NAME" "$option" "$value"
done
gluster volume info "$NAME" | grep -q '^Status: Started' || gluster volume start "$NAME"
first=${1%%:*} second=${2%%:*} third=${3%%:*}
cat <<END
The volume $NAME is there. On every host, in /etc/fstab (glusterfs-client is installed there):

  $first:/$NAME /srv/factory glusterfs defaults,_netdev,nosuid,nodev,backup-volfile-servers=$second:$third 0 0

and once, on one of them:

  mkdir -p /srv/factory/images /srv/factory/volumes && touch /srv/factory/volumes/.factory-volumes

Executors and cluster-servers get FACTORY_IMAGE_DIR=/srv/factory/images and
FACTORY_VOLUME_DIR=/srv/factory/volumes.
END
