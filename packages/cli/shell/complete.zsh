# What `sealane completion zsh` adds to the functions that it makes from the commands. Works both sourced and from a directory in
# $fpath, as `_sealane`. Names that a broker lists are added as they are: nothing of them is expanded.

# The targets that there are, of the broker and the job that the line names.
_sealane_objects() {
  local -a context objects expl
  local i
  for ((i = 2; i < $#_sealane_line; i++)); do
    case $_sealane_line[i] in
      --socket | --job-id) context+=("$_sealane_line[i]" "$_sealane_line[i + 1]") ;;
      --socket=* | --job-id=*) context+=("$_sealane_line[i]") ;;
    esac
  done
  objects=("${(@f)$(command $_sealane_line[1] "${(@)context}" __objects 2>/dev/null)}")
  objects=("${(@)objects:#}")
  _wanted objects expl object compadd -a - objects
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
