# visits.sh FILE count   prints how many visits were counted
# visits.sh FILE visit   counts one more
set -e
file=$1
seen=0
if [ -e "$file" ]; then read -r seen < "$file"; fi
case $2 in
count) echo "$seen" ;;
visit) echo $((seen + 1)) > "$file" ;;
esac
