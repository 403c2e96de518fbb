# The init image: `trilane install DIR` and nothing else. Build it from an unpacked release:
#   tar xzf trilane-VERSION-x86_64-linux.tar.gz && docker build -t trilane:VERSION -f Dockerfile trilane-VERSION-x86_64-linux
# The program is static, so the image needs no libc and no shell; the library is only copied.
FROM scratch
COPY trilane libtrilane.so trilane.h LICENSE NOTICE sbom.json /trilane/
USER 65532:65532
ENTRYPOINT ["/trilane/trilane"]
CMD ["install", "/opt/trilane"]
