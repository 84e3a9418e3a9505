# What `sealane completion fish` adds to the tables that it makes from the commands. What a broker lists comes through a command
# substitution, one candidate a line, and nothing of it is expanded.

# Reads the words before the cursor: prints the command, then how many arguments it has.
function __sealane_where
    set -l words (commandline -opc)
    set -l path sealane
    set -l position 0
    set -l pending ''
    set -l ended ''
    for word in $words[2..]
        if test -n "$pending"
            set pending ''
        else if test -n "$ended"; or not string match -q -- '-?*' $word
            if test $position = 0 -a -z "$ended"; and __sealane_is_command "$path $word"
                set path "$path $word"
            else
                set position (math $position + 1)
            end
        else if test "$word" = --
            set ended yes
        else if __sealane_takes_value "$path $word"
            set pending $word
        end
    end
    echo $path
    echo $position
end

# Whether the cursor is in this command; with a number, at this argument of it; with two, at this argument or after it.
function __sealane_at
    set -l where (__sealane_where)
    test "$where[1]" = "$argv[1]"; or return 1
    switch (count $argv)
        case 1
            return 0
        case 2
            test $where[2] = $argv[2]
        case '*'
            test $where[2] -ge $argv[2]
    end
end

# The names that there are, of the broker and the job, or of the domain, that the line names; the argument is what lists them.
function __sealane_names
    set -l words (commandline -opc)
    set -l context
    for i in (seq 2 (count $words))
        switch $words[$i]
            case --socket --job-id --domain --directory
                set -a context $words[$i] $words[(math $i + 1)]
            case '--socket=*' '--job-id=*' '--domain=*' '--directory=*'
                set -a context $words[$i]
        end
    end
    command $words[1] $context $argv[1] 2>/dev/null
end
