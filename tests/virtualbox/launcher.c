/*
 * Stands in for the set-uid shell of VBoxHeadless in the tests' chroot.
 *
 * The packaged VBoxHeadless is a hardened set-uid program that refuses to run without VirtualBox's kernel driver.
 * VirtualBox itself can do without: its run time knows a driverless mode, in which VMs are interpreted. This asks for
 * that mode, then runs the untouched VBoxHeadless.so, which holds all of the real program but its hardening.
 *
 * The prototypes below are those of iprt/initterm.h and of VBox/sup.h.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>

#define LIBRARIES "/usr/lib/virtualbox/"

/* RTR3INIT_FLAGS_SUPLIB: open the support library, with the SUPR3INIT_F_ flags that stand in bits 16 to 23. */
#define RTR3INIT_FLAGS_SUPLIB (UINT32_C(1) << 1)
#define RTR3INIT_FLAGS_SUPLIB_SHIFT 16
/* SUPR3INIT_F_DRIVERLESS: without the kernel driver. */
#define SUPR3INIT_F_DRIVERLESS (UINT32_C(1) << 4)

typedef int init_exe(int argc, char ***argv, uint32_t flags);
typedef int trusted_main(int argc, char **argv, char **environment);

/* A function of a library; the program ends when there is none, with the loader's reason. */
static void *function(const char *library, const char *name)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_GLOBAL);
    void *found = handle ? dlsym(handle, name) : NULL;

    if (!found)
        fprintf(stderr, "VBoxHeadless (launcher of the tests): %s\n", dlerror());
    return found;
}

int main(int argc, char **argv, char **environment)
{
    init_exe *init = (init_exe *)function(LIBRARIES "VBoxRT.so", "RTR3InitExe");
    trusted_main *run = (trusted_main *)function(LIBRARIES "VBoxHeadless.so", "TrustedMain");
    int status;

    if (!init || !run)
        return 1;
    status = init(argc, &argv, RTR3INIT_FLAGS_SUPLIB | (SUPR3INIT_F_DRIVERLESS << RTR3INIT_FLAGS_SUPLIB_SHIFT));
    if (status < 0) {
        fprintf(stderr, "VBoxHeadless (launcher of the tests): RTR3InitExe: status %d\n", status);
        return 1;
    }
    return run(argc, argv, environment);
}
