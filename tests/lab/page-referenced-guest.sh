# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# In the guest: the agent, and two processes that share a page.
mkfifo /tmp/commands
touch-shared /tmp/file </tmp/commands &
exec 3>/tmp/commands
# Each 64th report is a full one, in which a process has no pages for a moment: with
# so long an interval none comes while the host is asked.
start_agent() { # WAY
  vmm-guest-agent --interval 5000 --pgd "$1" 2>>/tmp/agent.log &
  agent=$!
}
start_agent bpf
echo "G ready"
while read -r line; do
  case $line in
  agent-*) kill -KILL $agent; wait $agent 2>/dev/null
    start_agent "${line#agent-}"; echo "G agent" ;;
  end) break ;;
  *) echo "$line" >&3 ;;
  esac
done
sed 's/^/G said /' /tmp/agent.log
