#!/bin/sh
# A look-alike of the method of COSvboxsvc 0.11 to 0.19, made for trials of upgrades.  Not that script: it starts a VM
# and saves it, and has neither settings nor a watching process.

PATH=${VBOXSVC_TOOL_PATH:-/usr/bin}:/usr/bin:/usr/sbin:/sbin:/opt/VirtualBox
export PATH
vm=`expr "$SMF_FMRI" : '.*:\(.*\)'`

runs() {
    VBoxManage list runningvms | grep "^\"$vm\" {" >/dev/null
}

case "$1" in
start)
    runs || VBoxManage startvm "$vm" --type headless || exit 95
    ;;
stop)
    if runs; then
        VBoxManage controlvm "$vm" savestate || exit 95
    fi
    ;;
getstate | state | status)
    VBoxManage showvminfo "$vm" --machinereadable | grep '^VMState='
    ;;
*)
    echo "usage: SMF_FMRI=svc:/site/xvm/vbox:VM_NAME $0 start|stop|status"
    exit 1
    ;;
esac
exit 0
