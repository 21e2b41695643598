#!/bin/sh
# The agent's launcher: starts containers for an agent that would be slow to fork itself (a Node
# process takes 9 ms for it, this shell 0.2 ms), and supervises each with a copy of itself, which
# outlives the agent and costs less than 1 MB.
#
#   launcher.sh <runtime directory>     reads a request per line: `<container id>`
#
# Of each container <runtime directory>/containers/<id>/ holds, in order of appearance:
#
#   launch      what to run, a piece of shell that ends in exec; written by the agent
#   gate        FIFO: the container begins when the agent, which knows it by then, writes `go`
#   supervisor  `<pid> <start time in ticks>` of this shell's copy
#   process     the same of the container's first process
#   status      the wait status (code << 8 | signal); complete when it ends in a newline
#
# and <runtime directory>/events is a FIFO where the agent, whichever lives, reads
# `started <id> <pid> <ticks>` and `ended <id> <status>`.

runtime=$1
events=$runtime/events

# Gives "<pid> <ticks>" of the shell that calls it, without starting a process.
identify() {
  read -r stat </proc/self/stat
  pid=${stat%% *}
  # proc(5): the name, in brackets, may hold anything; field 22 is the 20th after it.
  set -- ${stat##*) }
  identity="$pid ${20}"
}

tell() {
  # Open for reading too: with no agent there it must not wait for one.
  echo "$*" 1<>"$events"
}

# The wait status of a child whose `$?` is $1: 137 may be exit 137 or SIGKILL, and `jobs` knows.
wait_status() {
  status=$(($1 << 8))
  [ "$1" -gt 128 ] || return 0
  jobs -l >jobs
  read -r job <jobs
  case $job in
    *'Done('* | *'Exit '*) ;;
    *) status=$(($1 - 128)) ;;
  esac
}

run() {
  # Open for writing too: what the agent writes is kept until it is read.
  exec 9<>gate
  identify
  echo "$identity" >process
  tell "started $1 $identity"
  read -r word <&9
  exec 9>&-
  [ "$word" = go ] || exit 125
  . ./launch
}

supervise() {
  cd "$runtime/containers/$1" || exit 1
  exec </dev/null >/dev/null 2>>launcher.log
  identify
  echo "$identity" >supervisor
  mkfifo -m 600 gate
  run "$1" &
  wait $!
  wait_status $?
  # An init of a process namespace can't end by a signal; it says here how its command did.
  [ -s inner-status ] && read -r status <inner-status
  echo "$status" >status
  tell "ended $1 $status"
}

umask 022
[ -p "$events" ] || mkfifo -m 600 "$events" || exit 1
echo ready
exec >/dev/null
while read -r id; do
  # Twice: the supervisor is nobody's child then, and this shell has no list of jobs that grows.
  (supervise "$id" &)
done
