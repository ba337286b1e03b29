# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# In the guest: the agent, and a program that knows the truth; both do what
# lines on the console say.
start_agent() {
  vmm-guest-agent --interval 500 --verbose 2>>/tmp/agent.log &
  agent=$!
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
  quiet) sleep 3; tail -n 5 /tmp/agent.log | sed 's/^/G log /'; echo "G quiet" ;;
  end) break ;;
  *) echo "$line" >&3 ;;
  esac
done
# What else it had to say, if anything went wrong.
grep -v ': epoch ' /tmp/agent.log | sed 's/^/G said /'
