/* Routes as nginx and scripts read them. Nothing of what people wrote goes through unlooked at: names are
   names, and the salt has letters, digits and a few marks, so that nothing here needs quoting. */
#include "gateway/route_format.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ARMS_MAX = 2, FULL = 10000 };

struct arm {
    const char *release;
    bool canary;
    int weight;
};

/* What is read of the body; lent by its JSON. */
struct route {
    const char *service, *rollout, *sticky, *salt; /* rollout: "" = none */
    int64_t incarnation, epoch, until_s;           /* until_s: 0 = no lease */
    size_t arms;
    struct arm arm[ARMS_MAX];
};

enum status route_format_parse(const char *word, enum route_format *out, struct fault *fault)
{
    static const char *const words[] = {"json", "nginx", "plain"};
    *out = ROUTE_JSON;
    if (word == NULL)
        return STATUS_OK;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(word, words[i]) == 0) {
            *out = (enum route_format)i;
            return STATUS_OK;
        }
    }
    fault_set(fault, STATUS_INVALID, "The parameter format is none of json, nginx and plain");
    fault_next(fault, "Write ?format=nginx for a split_clients block, or leave it out for JSON.");
    return STATUS_INVALID;
}

const char *route_format_type(enum route_format format)
{
    return format == ROUTE_JSON ? "application/json" : "text/plain; charset=utf-8";
}

static bool is_variable(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    size_t length = strlen(name);
    return length >= 1 && length <= NAME_MAX_LENGTH && strspn(name, letters) == length &&
           strspn(name, "0123456789") == 0;
}

enum status route_nginx_check(const struct route_nginx *options, struct fault *fault)
{
    bool key = options->key == NULL || is_variable(options->key);
    if (key && (options->variable == NULL || is_variable(options->variable)))
        return STATUS_OK;
    fault_set(fault, STATUS_INVALID, "The parameter %s is not the name of a variable of nginx",
              key ? "variable" : "key");
    fault_next(fault,
               "Write the name without its dollar, as ?format=nginx&key=http_x_user_id; letters, digits "
               "and _, at most 63.");
    return STATUS_INVALID;
}

/* --- reading
 * ------------------------------------------------------------------------------------------------------ */

static const char *text_of(struct json_object *object, const char *name)
{
    struct json_object *member = NULL;
    if (!json_object_object_get_ex(object, name, &member) || !json_object_is_type(member, json_type_string))
        return NULL;
    return json_object_get_string(member);
}

static bool integer_of(struct json_object *object, const char *name, int64_t min, int64_t max, int64_t *out)
{
    struct json_object *member = NULL;
    if (!json_object_object_get_ex(object, name, &member) || !json_object_is_type(member, json_type_int))
        return false;
    *out = json_object_get_int64(member);
    return *out >= min && *out <= max;
}

/* Ids, and whatever else needs no quoting anywhere. */
static bool is_plain(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return text != NULL && strspn(text, letters) == strlen(text) && strlen(text) <= 128;
}

static bool read_arm(struct json_object *object, struct arm *arm)
{
    int64_t weight;
    const char *role = text_of(object, "role");
    arm->release = text_of(object, "release");
    if (role == NULL || arm->release == NULL || !name_valid(arm->release) ||
        !integer_of(object, "weight", 0, FULL, &weight))
        return false;
    arm->canary = strcmp(role, "canary") == 0;
    arm->weight = (int)weight;
    return true;
}

static bool read_arms(struct json_object *object, struct route *route)
{
    struct json_object *releases = NULL;
    int sum = 0;
    if (!json_object_object_get_ex(object, "releases", &releases) ||
        !json_object_is_type(releases, json_type_array))
        return false;
    route->arms = json_object_array_length(releases);
    if (route->arms < 1 || route->arms > ARMS_MAX)
        return false;
    for (size_t i = 0; i < route->arms; i++) {
        if (!read_arm(json_object_array_get_idx(releases, i), &route->arm[i]))
            return false;
        sum += route->arm[i].weight;
    }
    return sum == FULL && (route->arms == 1 || route->arm[0].canary != route->arm[1].canary);
}

static bool read_route(struct json_object *object, struct route *route)
{
    struct json_object *sticky = NULL;
    struct wall_time until;
    memset(route, 0, sizeof *route);
    route->service = text_of(object, "service");
    route->rollout = text_of(object, "rollout");
    const char *valid_until = text_of(object, "valid_until");
    if (route->rollout == NULL)
        route->rollout = "";
    if (route->service == NULL || !name_valid(route->service) || !is_plain(route->rollout) ||
        !json_object_object_get_ex(object, "sticky", &sticky))
        return false;
    route->sticky = text_of(sticky, "key");
    route->salt = text_of(sticky, "salt");
    if (!is_plain(route->sticky) || !is_plain(route->salt))
        return false;
    if (valid_until != NULL) {
        if (!clock_parse(valid_until, &until))
            return false;
        route->until_s = until.us / 1000000; /* rather too early than too late */
    }
    return integer_of(object, "incarnation", 0, INT64_MAX, &route->incarnation) &&
           integer_of(object, "epoch", 0, INT64_MAX, &route->epoch) && read_arms(object, route);
}

/* --- writing
 * ------------------------------------------------------------------------------------------------------ */

static const char *or_dash(const char *text)
{
    return text[0] != '\0' ? text : "-";
}

static void put_plain(struct text *out, const struct route *route)
{
    text_printf(out, "service %s\nincarnation %" PRId64 "\nepoch %" PRId64 "\nrollout %s\nvalid_until ",
                route->service, route->incarnation, route->epoch, or_dash(route->rollout));
    if (route->until_s > 0)
        text_printf(out, "%" PRId64 "\n", route->until_s);
    else
        text_puts(out, "-\n");
    text_printf(out, "sticky %s\nsalt %s\n", or_dash(route->sticky), or_dash(route->salt));
    for (size_t i = 0; i < route->arms; i++)
        text_printf(out, "%s %s %d\n", route->arm[i].canary ? "canary" : "stable", route->arm[i].release,
                    route->arm[i].weight);
    text_puts(out, "end\n");
}

static const char *key_of(const struct route *route)
{
    if (strcmp(route->sticky, "user") == 0)
        return "http_x_user_id";
    if (strcmp(route->sticky, "conversation") == 0)
        return "http_x_conversation_id";
    return "request_id";
}

static void put_nginx(struct text *out, const struct route *route, const struct route_nginx *options)
{
    char variable[NAME_MAX_LENGTH + 8];
    const struct arm *rest = &route->arm[0], *canary = NULL;
    for (size_t i = 0; i < route->arms && route->arms > 1; i++) {
        if (route->arm[i].canary)
            canary = &route->arm[i];
        else
            rest = &route->arm[i];
    }
    snprintf(variable, sizeof variable, "serin_%s", route->service);
    for (char *at = variable; *at != '\0'; at++) {
        if (*at == '-' || *at == '.')
            *at = '_';
    }
    const char *key = options->key != NULL ? options->key : key_of(route);
    const char *name = options->variable != NULL ? options->variable : variable;
    text_printf(out, "# Route of %s, by serind. Past valid_until the line with a percent is to be dropped.\n",
                route->service);
    text_printf(out, "# rollout %s\n# valid_until ", or_dash(route->rollout));
    if (route->until_s > 0)
        text_printf(out, "%" PRId64 "\n", route->until_s);
    else
        text_puts(out, "-\n");
    text_printf(out, "split_clients \"%s:${%s}\" $%s {\n", route->salt, key, name);
    if (canary != NULL && canary->weight > 0) /* nginx refuses 0% */
        text_printf(out, "    %d.%02d%% \"%s\";\n", canary->weight / 100, canary->weight % 100,
                    canary->release);
    text_printf(out, "    * \"%s\";\n}\n", rest->release);
    text_printf(out, "map \"\" $%s_epoch {\n    default \"%" PRId64 ".%" PRId64 "\";\n}\n", name,
                route->incarnation, route->epoch);
}

enum status route_format_write(struct text *out, const char *body, size_t length, enum route_format format,
                               const struct route_nginx *nginx, struct fault *fault)
{
    static const struct route_nginx defaults = {NULL, NULL};
    struct json_object *object = NULL;
    struct route route;
    if (format == ROUTE_JSON) {
        text_add(out, body, length);
        return text_status(out);
    }
    enum status status = json_parse(body, length, &object, fault);
    if (status != STATUS_OK)
        return status;
    if (!json_object_is_type(object, json_type_object) || !read_route(object, &route)) {
        json_object_put(object);
        return fault_set(fault, STATUS_MALFORMED, "The route is not what it should be");
    }
    if (format == ROUTE_NGINX)
        put_nginx(out, &route, nginx != NULL ? nginx : &defaults);
    else
        put_plain(out, &route);
    json_object_put(object);
    return text_status(out);
}
