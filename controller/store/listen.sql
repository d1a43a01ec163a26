-- :name listen_routes
LISTEN serin_routes
