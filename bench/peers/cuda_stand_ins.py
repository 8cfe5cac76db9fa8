"""Makes torch's Linux wheel load without CUDA: 0.6 GB instead of 3.

The wheel links to the CUDA libraries at load time even where there is no GPU. They come as packages of
their own, of more than 2 GB. This benchmark calls none of their functions, so here each of them is an
empty library that has the names that torch asks for. A call of one of them ends the process: it never
computes anything wrong. (The runtime itself, libcudart, is small and is installed as it is.)

Usage: python cuda_stand_ins.py SITE_PACKAGES. Needs `nm`, `readelf` and `cc`.
"""

import os
import re
import subprocess
import sys
import tempfile


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def needed(library):
    """The sonames that a library asks the loader for."""
    return re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-d", library))


def undefined(library):
    """Pairs of a name and its version ('' for none), of what a library takes from others."""
    lines = output("nm", "-D", "--undefined-only", library).split("\n")
    names = [line.split()[-1] for line in lines if line.strip()]
    return {tuple(re.split("@+", name + "@")[:2]) for name in names}


def is_nvidia(soname):
    return re.match(r"lib(cu(?!dart)|nccl|nvrtc|nvshmem|nvJitLink|nvToolsExt|cupti)", soname) is not None


def owner(name, version, sonames):
    """Which of the missing libraries a name belongs to, or None."""
    if version in sonames:
        return version
    for prefix in ("nccl", "nvshmem", "cupti", "cuFile", "nvrtc", "cudnn", "cusparseLt", "cufft"):
        if name.startswith(prefix):
            for soname in sonames:
                if prefix.lower() in soname.lower():
                    return soname
    return None


def make(folder, soname, symbols):
    """Compiles a library with these symbols, each of which ends the process when it is called."""
    with tempfile.TemporaryDirectory() as scratch:
        source = os.path.join(scratch, "stand_in.c")
        script = os.path.join(scratch, "versions.map")
        with open(source, "w") as file:
            for name, _ in sorted(symbols):
                file.write(f"void {name}(void) {{ __builtin_trap(); }}\n")
        versions = {}
        for name, version in symbols:
            versions.setdefault(version, []).append(name)
        command = ["cc", "-w", "-shared", "-fPIC", "-fno-builtin", f"-Wl,-soname,{soname}"]
        if any(versions):
            with open(script, "w") as file:
                for version, names in versions.items():
                    file.write(f"{version or 'unversioned'} {{ {'; '.join(sorted(names))}; }};\n")
            command.append(f"-Wl,--version-script={script}")
        command += [source, "-o", os.path.join(folder, soname)]
        subprocess.run(command, check=True)


def main(site_packages):
    folder = os.path.join(site_packages, "torch", "lib")
    libraries = [os.path.join(folder, name) for name in os.listdir(folder) if ".so" in name]
    sonames = {soname for library in libraries for soname in needed(library) if is_nvidia(soname)}
    present = {os.path.basename(library) for library in libraries}
    missing = sorted(sonames - present)
    symbols = {soname: set() for soname in missing}
    for library in libraries:
        for name, version in undefined(library):
            soname = owner(name, version, missing)
            if soname is not None:
                symbols[soname].add((name, version))
    for soname in missing:
        make(folder, soname, symbols[soname])
    print(f"{len(missing)} stand-ins for CUDA libraries")


if __name__ == "__main__":
    main(sys.argv[1])
