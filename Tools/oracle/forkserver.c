/* Starts a program many times and says what each run cost.

   Orders come over a socket (file descriptor 3): the words, the environment, the working folder and the standard streams
   of one run. The answers are the process's number and, when it has ended, its status, its processor time and the most
   memory that it held.

   Built as a shared library and preloaded (Linux), this serves from inside the program itself, after its libraries are
   loaded and before its main function: a run is then a fork, which saves the 0.3 s that libtorch needs to register its
   operators. Built with -DPLAIN it is a small program of its own that executes its first argument anew for each run. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ORDERS = 3, STREAMS = 3, SECONDS_OF_LIFE = 60, NOBODY = 65534, STACK = 8 << 20 };

/* What an order begins with; the descriptors of those streams that are set in `open` travel beside it. With `whole`, the
   run ends as a program does; else without the destructors of its libraries, which take 0.1 s for libtorch. With
   `stranger`, a process of root's runs as nobody. Limits that are zero are none. */
struct order {
    uint32_t bytes, words, variables, open, whole, stranger, most_file_bytes, most_descriptors;
};

struct outcome {
    int32_t status, survivors;
    int64_t user_microseconds, system_microseconds, most_kibibytes;
};

extern char **environ;

static void fail(const char *what) {
    perror(what);
    _exit(125);
}

static void receive_all(void *into, size_t bytes) {
    for (char *next = into; bytes > 0;) {
        ssize_t got = recv(ORDERS, next, bytes, 0);
        if (got == 0) _exit(0);
        if (got < 0 && errno != EINTR) fail("forkserver: recv");
        if (got > 0) next += got, bytes -= (size_t)got;
    }
}

static void send_all(const void *from, size_t bytes) {
    for (const char *next = from; bytes > 0;) {
        ssize_t gone = send(ORDERS, next, bytes, 0);
        if (gone < 0 && errno != EINTR) _exit(0);
        if (gone > 0) next += gone, bytes -= (size_t)gone;
    }
}

/* Receives an order and the streams that come with it; ends the server when the other side has closed the socket. */
static struct order receive_order(int streams[STREAMS]) {
    struct order order;
    union {
        char bytes[CMSG_SPACE(sizeof(int) * STREAMS)];
        struct cmsghdr aligned;
    } control;
    struct iovec part = {&order, sizeof order};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t got;
    while ((got = recvmsg(ORDERS, &message, MSG_WAITALL)) < 0 && errno == EINTR) {}
    if (got == 0) _exit(0);
    if (got != sizeof order) fail("forkserver: order");
    int found[STREAMS], count = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header))
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
            count = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            memcpy(found, CMSG_DATA(header), sizeof(int) * (size_t)count);
        }
    for (int stream = 0, next = 0; stream < STREAMS; stream++)
        streams[stream] = order.open >> stream & 1 && next < count ? found[next++] : -1;
    return order;
}

/* In the new process: the streams, the working folder, a group of its own, and limits that hold even if nobody watches. */
static void limit(int resource, rlim_t most) {
    struct rlimit both = {most, most};
    setrlimit(resource, &both);
}

static void settle(const struct order *order, const int streams[STREAMS], const char *folder) {
    setpgid(0, 0);
    for (int stream = 0; stream < STREAMS; stream++) {
        if (streams[stream] < 0) close(stream);
        else if (dup2(streams[stream], stream) < 0) fail("forkserver: dup2");
    }
    for (int stream = 0; stream < STREAMS; stream++)
        if (streams[stream] >= STREAMS) close(streams[stream]);
    close(ORDERS);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_CPU, SECONDS_OF_LIFE);
    if (order->most_file_bytes) limit(RLIMIT_FSIZE, order->most_file_bytes);
    if (order->most_descriptors) limit(RLIMIT_NOFILE, order->most_descriptors);
    umask(022);
    if (chdir(folder) != 0) fail("forkserver: chdir");
    if (order->stranger && geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)) fail("forkserver: setuid");
}

static void report(pid_t child) {
    int status;
    struct rusage usage;
    while (wait4(child, &status, 0, &usage) < 0)
        if (errno != EINTR) fail("forkserver: wait4");
    struct outcome outcome = {
        .status = status,
        .survivors = kill(-child, SIGKILL) == 0,
        .user_microseconds = usage.ru_utime.tv_sec * 1000000ll + usage.ru_utime.tv_usec,
        .system_microseconds = usage.ru_stime.tv_sec * 1000000ll + usage.ru_stime.tv_usec,
#ifdef __APPLE__
        .most_kibibytes = usage.ru_maxrss / 1024,
#else
        .most_kibibytes = usage.ru_maxrss,
#endif
    };
    send_all(&outcome, sizeof outcome);
}

/* Splits strings that each end with a zero byte; the list ends with a null pointer. */
static char **strings(char **next, uint32_t count) {
    char **list = calloc(count + 1, sizeof *list);
    if (!list) fail("forkserver: memory");
    for (uint32_t index = 0; index < count; index++) {
        list[index] = *next;
        *next += strlen(*next) + 1;
    }
    return list;
}

/* Serves until the socket closes. Returns in each new process with its words; the server itself never returns. */
static char **serve(int *count, int *whole) {
    for (;;) {
        int streams[STREAMS];
        struct order order = receive_order(streams);
        char *payload = malloc(order.bytes);
        if (!payload) fail("forkserver: memory");
        receive_all(payload, order.bytes);
        pid_t child = fork();
        if (child < 0) fail("forkserver: fork");
        if (child == 0) {
            char *next = payload, *folder = payload;
            next += strlen(folder) + 1;
            char **words = strings(&next, order.words);
            environ = strings(&next, order.variables);
            settle(&order, streams, folder);
            *count = (int)order.words;
            *whole = (int)order.whole;
            return words;
        }
        free(payload);
        for (int stream = 0; stream < STREAMS; stream++)
            if (streams[stream] >= 0) close(streams[stream]);
        int32_t number = child;
        send_all(&number, sizeof number);
        report(child);
    }
}

#ifdef PLAIN

int main(int count, char **words) {
    int whole;
    const char *program = words[1];
    char **orders = serve(&count, &whole);
    execve(program, orders, environ);
    perror("forkserver: execve");
    _exit(125);
}

#else

typedef int entry(int, char **, char **);
typedef int start(entry *, int, char **, void (*)(void), void (*)(void), void (*)(void), void *);

static entry *entry_of_program;

/* Runs after what the program itself registered for its end and before all that its libraries registered. */
static void end_at_once(int code, void *unused) {
    (void)unused;
    fflush(NULL);
    _exit(code);
}

/* A thread of its own, which becomes the first one of each new process. Swift remembers the number of a thread beside the
   thread, and its locks believe it: the first thread of this process may have such a number, which would be wrong there. */
static void *forks(void *unused) {
    (void)unused;
    int count, whole;
    char **words = serve(&count, &whole);
    if (!whole) on_exit(end_at_once, NULL);
    /* Swift reads the words of the process from the system, which still has those of the server. */
    void (*override)(char **, int) = (void (*)(char **, int))dlsym(RTLD_DEFAULT, "_swift_stdlib_overrideUnsafeArgvArgc");
    if (override) override(words, count);
    exit(entry_of_program(count, words, environ));
}

static int served(int count, char **words, char **variables) {
    (void)count, (void)words, (void)variables;
    pthread_t thread;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0 || pthread_attr_setstacksize(&attributes, STACK) != 0
        || pthread_create(&thread, &attributes, forks, NULL) != 0) fail("forkserver: thread");
    pthread_join(thread, NULL);
    return 125;
}

int __libc_start_main(
    entry *program, int count, char **words, void (*begin)(void), void (*end)(void), void (*unload)(void), void *stack) {
    entry_of_program = program;
    start *real = (start *)dlsym(RTLD_NEXT, "__libc_start_main");
    return real(served, count, words, begin, end, unload, stack);
}

#endif
