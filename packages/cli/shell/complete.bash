# What `sealane completion bash` adds to the tables that it makes from the commands: finds out where in the line the cursor stands and
# offers what fits. Needs bash 4.2 and nothing else. What a broker lists is compared and quoted, never expanded: `compgen -W` would
# run what a name says.

# Text as the shell would pass it, as far as quotes and backslashes go.
_sealane_plain() {
  plain=${1//[\\\"\']/}
}

# Splits the line into words. Bash splits it at = : @ too, which stand inside of options and names.
_sealane_split() {
  local line=$COMP_LINE piece i
  for ((i = 0; i <= COMP_CWORD; i++)); do
    piece=${COMP_WORDS[i]}
    if ((i > 0)) && [[ $line != [[:blank:]]* ]]; then
      words[${#words[@]} - 1]+=$piece
    else
      words+=("$piece")
    fi
    line=${line#*"$piece"}
  done
}

# Finds the command, how many arguments it has, the option that waits for its value, and the options that lead to the broker or domain.
_sealane_walk() {
  local i word plain kind choices
  for ((i = 1; i < ${#words[@]} - 1; i++)); do
    _sealane_plain "${words[i]}"
    word=$plain
    if [[ -n $pending ]]; then
      case $pending in
        --socket | --job-id | --domain | --directory) context+=("$pending" "$word") ;;
      esac
      pending=
    elif [[ -n $ended || $word != -?* ]]; then
      if [[ $position == 0 && -z $ended ]] && _sealane_is_command "$path $word"; then
        path+=" $word"
      else
        position=$((position + 1))
      fi
    elif [[ $word == -- ]]; then
      ended=1
    elif [[ $word == --socket=* || $word == --job-id=* || $word == --domain=* || $word == --directory=* ]]; then
      context+=("$word")
    else
      _sealane_value "$path $word"
      [[ -n $kind ]] && pending=$word
    fi
  done
}

# Offers a word if it begins as the typed one does. Readline replaces only what follows the last break: the rest is dropped.
_sealane_offer() {
  [[ $1 == "$plain"* ]] || return
  local rest=${1:drop} item
  case ${COMP_WORDS[COMP_CWORD]} in
    # Readline closes the quotes. What means something between them is not offered.
    \'*) [[ $rest == *\'* ]] || COMPREPLY+=("$rest") ;;
    \"*) [[ $rest == *[\"\\\$\`!]* ]] || COMPREPLY+=("$rest") ;;
    *)
      printf -v item %q "$rest"
      COMPREPLY+=("$item")
      ;;
  esac
}

# Offers values of kind $1; $2 are the words of a choice.
_sealane_complete() {
  local word
  case $1 in
    file)
      compopt -o filenames 2>/dev/null
      while IFS= read -r word; do COMPREPLY+=("${word:drop}"); done < <(compgen -f -- "$plain")
      ;;
    program)
      while IFS= read -r word; do COMPREPLY+=("${word:drop}"); done < <(compgen -c -- "$plain")
      ;;
    object | service | node)
      while IFS= read -r word; do
        _sealane_offer "$word"
      done < <(command "${words[0]}" ${context[@]+"${context[@]}"} "__${1}s" 2>/dev/null)
      ;;
    choice)
      for word in $2; do _sealane_offer "$word"; done
      ;;
  esac
}

_sealane() {
  local path=sealane position=0 ended= pending= plain= drop=0 kind= choices= options= commands= rest= current last name
  local -a words=() context=() kinds=()
  COMPREPLY=()
  _sealane_split
  _sealane_walk
  _sealane_command "$path"
  current=${words[${#words[@]} - 1]}
  last=${COMP_WORDS[COMP_CWORD]}
  [[ $last == [=:@] ]] && last=
  _sealane_plain "${current%"$last"}"
  drop=${#plain}
  _sealane_plain "$current"
  if [[ -n $pending ]]; then
    _sealane_value "$path $pending"
    _sealane_complete "$kind" "$choices"
  elif [[ -z $ended && $plain == --*=* ]]; then
    name=${plain%%=*}
    plain=${plain#*=}
    drop=$((drop > ${#name} ? drop - ${#name} - 1 : 0))
    _sealane_value "$path $name"
    _sealane_complete "$kind" "$choices"
  elif [[ -z $ended && $plain == -* ]]; then
    _sealane_complete choice "$options"
  else
    [[ $position == 0 && -z $ended ]] && _sealane_complete choice "$commands"
    kind=${kinds[position]-$rest}
    _sealane_complete "${kind%%:*}" "${kind#*:}"
  fi
}

complete -F _sealane sealane
