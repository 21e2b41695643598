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
# Where there is a file `recovery-timeout`, the container (with what is nested in it) ends when no agent
# has been there for so many seconds: this shell goes on without its agent until then.
#
# and <runtime directory>/events is a FIFO where the agent, whichever lives, reads
# `started <id> <pid> <ticks>` and `ended <id> <status>`.

runtime=$1
events=$runtime/events
# Seconds from SIGTERM to SIGKILL.
grace=3

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

# Whether the process that /proc/<pid>/stat ($1) tells of is in session $2, and still itself where $3
# names the ticks at which it started.
is_process() {
  read -r stat <"$1" || return 1
  set -- "$2" "$3" ${stat##*) }
  [ -n "$2" ] && [ "${22}" != "$2" ] && return 1
  [ "$6" = "$1" ]
}

# Sends signal $1 to the sessions of the container whose directory is $2 and of those nested in it.
signal_container() {
  for directory in "$2" "$2".*; do
    read -r first ticks <"$directory/process" || continue
    [ -s "$directory/status" ] && continue
    is_process "/proc/$first/stat" "$first" "$ticks" || continue
    for file in /proc/[0-9]*/stat; do
      is_process "$file" "$first" '' && kill -s "$1" "${stat%% *}"
    done
  done
}

# The agent is gone, and executors of Mesos would now wait for its recovery timeout and end themselves.
# This waits for those that have no executor of their own, unless a new agent comes, which has a
# launcher of its own.
wait_for_agent() {
  exec </dev/null 2>/dev/null
  away=0
  while read -r newest <"$runtime/launcher" && [ "$newest" = "$launcher" ]; do
    waiting=
    for file in "$runtime"/containers/*/recovery-timeout; do
      container=${file%/*}
      read -r timeout <"$file" || continue
      [ -s "$container/status" ] && continue
      waiting=yes
      [ "$away" -eq "$timeout" ] && signal_container TERM "$container"
      [ "$away" -ge $((timeout + grace)) ] && signal_container KILL "$container"
    done
    [ -n "$waiting" ] || break
    sleep 1
    away=$((away + 1))
  done
}

umask 022
[ -p "$events" ] || mkfifo -m 600 "$events" || exit 1
identify
launcher=$identity
echo "$launcher" >"$runtime/launcher.$pid" && mv "$runtime/launcher.$pid" "$runtime/launcher" || exit 1
echo ready
exec >/dev/null
while read -r id; do
  # Twice: the supervisor is nobody's child then, and this shell has no list of jobs that grows.
  (supervise "$id" &)
done
wait_for_agent
