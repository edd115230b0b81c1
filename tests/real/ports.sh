# Ports of loopback for applications that tests start; sourced by their scripts.

listens() { # port
  (: < "/dev/tcp/127.0.0.1/$1") 2> /dev/null
}

# Ports that nobody listens at, in a line. Below the range that systems give to clients: while an
# application is away, nobody must get its port.
free_ports() { # how many
  local port ports=()
  while [ "${#ports[@]}" -lt "$1" ]; do
    port=$((10000 + (RANDOM * 32768 + RANDOM) % 20000))
    case " ${ports[*]} " in *" $port "*) continue ;; esac
    if ! listens "$port"; then
      ports+=("$port")
    fi
  done
  echo "${ports[*]}"
}
