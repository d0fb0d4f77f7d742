# Includes run one way: a folder of plugin/ includes only what stands below it. The web
# servers' modules see nothing above openrosa; their own headers stay in their own folders,
# and libpq's in store. Run on C files named plugin/FOLDER/FILE; prints what breaks the rule.
BEGIN {
    count = split("base spool openrosa xform transform store cli", order)
    for (i = 1; i <= count; i++)
        level[order[i]] = i
    level["sources"] = level["store"]
    level["nginx"] = level["apache"] = level["openrosa"] + 0.5
}

/^#[ \t]*include[ \t]/ {
    split(FILENAME, part, "/")
    own = part[2]
    target = $0
    gsub(/.*include[ \t]*["<]|[">].*/, "", target)
    folder = target
    sub(/\/.*/, "", folder)

    if (!(own in level))
        complain("the folder " own " has no place in the order")
    else if (target ~ /\// && folder in level && folder != own && level[folder] >= level[own])
        complain(own " may not include " folder)
    if (target ~ /^(ngx_|nginx\.h)/ && own != "nginx")
        complain("nginx's headers stay in plugin/nginx")
    if (target ~ /^(httpd\.h|http_|apr_)/ && own != "apache")
        complain("httpd's headers stay in plugin/apache")
    if (target ~ /^(postgresql\/)?libpq/ && own != "store")
        complain("libpq stays in plugin/store")
}

function complain(what)
{
    printf "%s:%d: %s: %s\n", FILENAME, FNR, what, $0
    failed = 1
}

END { exit failed }
