import os

os.environ["SHOP_HOME"] = "/srv/shop"
