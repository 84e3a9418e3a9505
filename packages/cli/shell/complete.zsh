# What `sealane completion zsh` adds to the functions that it makes from the commands. Works both sourced and from a directory in
# $fpath, as `_sealane`. Names that a broker lists are added as they are: nothing of them is expanded.

# The names that there are, of the broker and the job, or of the domain, that the line names; the argument is their kind.
_sealane_names() {
  local -a context names expl
  # What _arguments passes stands before it.
  local kind=$argv[-1]
  local i
  for ((i = 2; i < $#_sealane_line; i++)); do
    case $_sealane_line[i] in
      --socket | --job-id | --domain | --directory) context+=("$_sealane_line[i]" "$_sealane_line[i + 1]") ;;
      --socket=* | --job-id=* | --domain=* | --directory=*) context+=("$_sealane_line[i]") ;;
    esac
  done
  names=("${(@f)$(command $_sealane_line[1] "${(@)context}" __${kind}s 2>/dev/null)}")
  names=("${(@)names:#}")
  _wanted ${kind}s expl $kind compadd -a - names
}

_sealane() {
  local -a _sealane_line=("${(@Q)words}")
  _sealane-
}

if [[ $funcstack[1] == _sealane ]]; then
  _sealane "$@"
else
  compdef _sealane sealane
fi
