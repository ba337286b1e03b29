# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# In the guest: the agent, and a program that knows the truth; both do what
# lines on the console say.
start_agent() {
  vmm-guest-agent --interval 500 --verbose 2>>/tmp/agent.log &
  agent=$!
}
# Until the agent has found nothing changed, or for some minutes; with its last
# lines in /tmp/quiet.  It looks several times while we sleep, since what we
# start is a change as well.
wait_quiet() {
  tries=0
  while [ $tries -lt 40 ]; do
    tries=$((tries + 1))
    # Longer and longer: on a busy machine it comes to few looks a second.
    sleep $((2 + tries))
    tail -n 5 /tmp/agent.log >/tmp/quiet
    ! grep -q ': 144 bytes, .* 0 processes read, [1-9]' /tmp/quiet || return
  done
}
mkfifo /tmp/commands
agent-truth /tmp/file </tmp/commands &
exec 3>/tmp/commands
start_agent
echo "G ready"
while read -r line; do
  case $line in
  agent-stop) kill -KILL $agent; wait $agent 2>/dev/null; echo "G stopped" ;;
  agent-start) start_agent; echo "G started" ;;
  quiet) wait_quiet; sed 's/^/G log /' /tmp/quiet; echo "G quiet" ;;
  end) break ;;
  *) echo "$line" >&3 ;;
  esac
done
# What else it had to say, if anything went wrong.
grep -v ': epoch ' /tmp/agent.log | sed 's/^/G said /'
