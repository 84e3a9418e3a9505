// Two processes that send each other all bytes of a 1080p frame in turns, with nothing but the system calls this takes: what handing frames over
// without shared memory costs. Each writes its frame into a SOCK_STREAM pair and reads the other's into one buffer; both sleep meanwhile.
// Arguments: a core for each (-1: any). Lines on standard input: "COUNT"; answer: the nanoseconds of COUNT round trips.
#include "peer.h"
#include <sys/wait.h>

#define FRAME_BYTES (1920 * 1080 * 4)

static uint8_t ours[FRAME_BYTES], theirs[FRAME_BYTES];

static void write_frame(int socket)
{
    for (size_t done = 0; done < FRAME_BYTES;) {
        ssize_t written = write(socket, ours + done, FRAME_BYTES - done);
        if (written < 0 && errno != EINTR)
            fail("write");
        done += written > 0 ? (size_t)written : 0;
    }
}

// False at the end of the connection.
static bool read_frame(int socket)
{
    for (size_t done = 0; done < FRAME_BYTES;) {
        ssize_t length = read(socket, theirs + done, FRAME_BYTES - done);
        if (length == 0)
            return false;
        if (length < 0 && errno != EINTR)
            fail("read");
        done += length > 0 ? (size_t)length : 0;
    }
    return true;
}

static void round_trip(void *context)
{
    const int *socket = context;
    write_frame(*socket);
    if (!read_frame(*socket))
        fail("the other side ended");
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: bytes_pair CORE CORE\n");
        return 2;
    }
    pid_t child;
    int socket = fork_joined(SOCK_STREAM, argv[1], argv[2], &child);
    memset(ours, 1, sizeof ours);
    memset(theirs, 1, sizeof theirs);
    if (child == 0) {
        while (read_frame(socket))
            write_frame(socket);
        return 0;
    }
    serve_round_trips(round_trip, &socket);
    close(socket);
    waitpid(child, NULL, 0);
    return 0;
}
